"""Say in one line what is wrong with this Python before `make` builds on it."""

import sys

# ruff: noqa: UP031, UP036 - this file exists to be run by an older Python
if sys.version_info < (3, 11):
    sys.exit(
        "hopscope needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.11 demo" % sys.version_info[:2]
    )
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401
except ImportError as missing:
    sys.exit("Python's module %r is missing; on Debian: apt install python3-venv" % missing.name)
