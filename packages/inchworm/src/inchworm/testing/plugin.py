"""The pytest plugin of inchworm: run your own migration through what happens to migrations in the world.

It is active wherever inchworm and pytest are installed and does nothing until a test asks for `inchworm_hazard`.
A test that takes that fixture runs once per hazard: orphans, NULLs, duplicates, gaps in the keys, no row and one row;
writers that change or delete the very rows between compute and apply; BUSY, a full disk, I/O errors, interrupts;
`kill -9` before every single step, a stop after every turn, two runners, an overtaken one; a wall clock that jumps.

    import inchworm

    totals = inchworm.Backfill(
        name="order_totals", table="orders",
        compute="select order_id as id, sum(price) as total from lines"
                " where order_id between :first and :last group by 1",
        apply="update orders set total = :total where id = :id",
        guard="reread",
    )

    def make(connection):
        connection.execute("create table orders (id integer primary key, total integer)")
        connection.execute("create table lines (id integer primary key, order_id integer, price integer)")
        connection.execute("create index lines_by_order on lines (order_id)")
        connection.executemany("insert into orders (id) values (?)", [(i,) for i in range(1, 61)])
        connection.executemany(
            "insert into lines (order_id, price) values (?, ?)", [(i % 60 + 1, i) for i in range(150)]
        )

    def wrong(connection):
        return connection.execute(
            "select id from orders o where total is not (select sum(price) from lines where order_id = o.id)"
        ).fetchall()

    def buy(connection, key):
        connection.execute("insert into lines (order_id, price) values (?, 7)", key)
        connection.execute(
            "update orders set total = (select sum(price) from lines where order_id = orders.id) where id = ?", key
        )

    def test_order_totals(inchworm_hazard):
        inchworm_hazard.survived_by(totals, make, wrong, live=buy)

`make` fills an empty database with a few dozen to a few hundred rows. `wrong` gives the rows that are wrong, by
a query that shares nothing with the migration, and must be right for any data: the hazards delete, copy and empty rows.
`live` (optional) does what your application does to one row while the migration runs. A hazard for which the schema
has no place is skipped and says why. Everything but two runners runs on a fake clock; a migration takes a few seconds.

On PostgreSQL add `server="postgresql://…"`, a database in which the kit may make schemas and drop them: your functions
then get connections of psycopg (`%s` for a parameter), tables are found without their schema, and a hazard that a
foreign key forbids is skipped. The one difference: a full disk is only raised, because no connection can fill one.

`@pytest.mark.inchworm_hazards("orphans", "killed at every step")` chooses; names as pytest shows them in brackets.
Nothing here needs production code to be prepared: steps are observed from outside (`inchworm.testing.Observed`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from inchworm.testing.hazards import Ordeal

FIXTURE, MARK = "inchworm_hazard", "inchworm_hazards"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, so that strict projects may use it."""
    config.addinivalue_line("markers", f"{MARK}(*names): run only these hazards with {FIXTURE}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per hazard, for tests that ask."""
    if FIXTURE not in metafunc.fixturenames:
        return
    from inchworm.testing.hazards import HAZARDS

    mark = metafunc.definition.get_closest_marker(MARK)
    names = list(mark.args) if mark and mark.args else list(HAZARDS)
    if unknown := [name for name in names if name not in HAZARDS]:
        raise pytest.UsageError(f"no such hazard: {', '.join(unknown)} (there are: {', '.join(HAZARDS)})")
    metafunc.parametrize(FIXTURE, names, indirect=True)


@pytest.fixture
def inchworm_hazard(request: pytest.FixtureRequest, tmp_path: Path) -> "Ordeal":
    """One hazard; call its `survived_by(migration, make, check)`."""
    from inchworm.testing.hazards import Ordeal

    return Ordeal(request.param, tmp_path)
