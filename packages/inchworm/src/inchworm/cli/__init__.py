"""The command line `inchworm`: the only place that prints, ends the process or installs signal handlers.

Needs the `cli` extra and says so when it is missing. Exit codes are in `inchworm.cli.exits`.
"""

import sys

from inchworm.cli.exits import Exit

NEEDED = {"click", "rich"}


def main() -> None:
    """Run the command line with the arguments of this process."""
    try:
        from inchworm.cli.root import inchworm
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in NEEDED:
            raise
        sys.stderr.write(
            f"inchworm: the command line needs {missing.name}, which is not installed: "
            "pip install 'inchworm[cli]' (the library itself needs neither)\n"
        )
        sys.exit(Exit.USAGE)
    inchworm(prog_name="inchworm")
