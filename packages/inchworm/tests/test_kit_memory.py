"""A database in memory is a backend like the others, except for what needs a second process or a file."""

from collections.abc import Iterator

import pytest

import inchworm
from inchworm.testing import Harness
from inchworm.testing.conformance import Conformance, count_up
from inchworm.testing.memory import MemoryHarness, memory_database


class TestMemory(Conformance):
    @pytest.fixture(params=["sqlite3", "apsw"])
    def harness(self, request: pytest.FixtureRequest) -> Iterator[Harness]:
        pytest.importorskip(request.param)
        memory = MemoryHarness(request.param)
        yield memory
        memory.close()

    test_killed_at_any_step_it_loses_nothing_and_repeats_nothing = None  # type: ignore[assignment]


def test_a_name_in_memory_works_wherever_a_path_does() -> None:
    table = "create table parents (id integer primary key, n integer not null default 0)"
    with memory_database(table, "insert into parents (id) values (1), (5), (9)") as target:
        assert inchworm.run(target, [count_up()]).ok
        assert MemoryHarness().rows(target, "select n from parents") == [(1,), (1,), (1,)]
        [status] = inchworm.read_status(target)
        assert (status.status, status.counts.changed) == (inchworm.Status.DONE, 3)


def test_what_is_closed_is_gone() -> None:
    memory = MemoryHarness()
    target = memory.fresh()
    memory.execute(target, "create table t (a)")
    memory.close()
    assert memory.rows(target, "select name from sqlite_master") == []
