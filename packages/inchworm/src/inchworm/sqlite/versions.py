"""Which SQLite versions can corrupt a WAL database that two connections write or checkpoint at once.

Source: https://www.sqlite.org/wal.html#walresetbug. Known by version number; a distribution may have patched it.
"""


def parse_version(text: str) -> tuple[int, ...]:
    """`3.51.3` as (3, 51, 3)."""
    return tuple(int(part) for part in text.split("."))


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """3.7.0 to 3.51.2, except the repaired 3.44.6 and later 3.44.x, and 3.50.7 and later 3.50.x."""
    if (3, 44, 6) <= version < (3, 45) or (3, 50, 7) <= version < (3, 51):
        return False
    return (3, 7) <= version < (3, 51, 3)
