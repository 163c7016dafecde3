"""How a process ends: the exit codes that docs/operations.md lists. The command line adds click's 2 for wrong usage."""

STOPPED = 0  # as asked
FAILED = 1  # starting again may help
REFUSED = 78  # EX_CONFIG of sysexits.h: starting again without a change will not help
