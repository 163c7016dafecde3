"""When the write-ahead log is moved into the database and when it begins again; decides on counts of pages, pure.

One set of rules for the governor, which keeps them, and for the forecast, which reckons with them.
"""

CHECKPOINT_PAGES = 1_000  # SQLite's own default, done between turns instead of inside somebody's commit
RESTART_PAGES = 2_000  # 8 MB of 4 KB pages: half of what the log may reach
CHECKPOINT_EVERY_S = 0.1  # where the log's length cannot be asked for, so that a short log is not looked at each turn


def is_due(log: int, waiting: int) -> bool:
    """Whether to move pages: of `log` pages `waiting` are not yet in the database."""
    return waiting >= CHECKPOINT_PAGES or (waiting > 0 and log >= RESTART_PAGES)


def wants_restart(log: int, waiting: int) -> bool:
    """After pages were moved: whether a long log is to begin again, for which the few waiting ones are moved locked."""
    return log >= RESTART_PAGES and 0 < waiting < CHECKPOINT_PAGES
