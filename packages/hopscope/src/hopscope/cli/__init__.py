"""The command `hopscope`: one group, a module per topic. Owns messages and exit codes; the work is done in app/."""

from hopscope.cli.root import main

__all__ = ["main"]
