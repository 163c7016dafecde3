"""The order of many migrations: each after those it names. Pure; refuses circles and names given twice."""

from collections.abc import Sequence

from inchworm.errors import DefinitionError
from inchworm.model import Migration


def in_order(migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """Each after those it names, otherwise as given; DefinitionError for a cycle or a name given twice."""
    by_name = {m.name: m for m in migrations}
    if len(by_name) != len(migrations):
        twice = sorted({m.name for m in migrations if sum(o.name == m.name for o in migrations) > 1})
        raise DefinitionError(f"defined more than once: {', '.join(twice)}")
    done: dict[str, Migration] = {}

    def visit(migration: Migration, path: tuple[str, ...]) -> None:
        if migration.name in path:
            raise DefinitionError(f"`after` goes in a circle: {' -> '.join((*path, migration.name))}")
        if migration.name in done:
            return
        for name in migration.after:
            if name in by_name:
                visit(by_name[name], (*path, migration.name))
        done[migration.name] = migration

    for migration in migrations:
        visit(migration, ())
    return tuple(done.values())
