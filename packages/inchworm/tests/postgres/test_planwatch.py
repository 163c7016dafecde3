"""A read that does not end on PostgreSQL is told from a lost index by the server's own plan."""

from contextlib import closing

import pytest

from inchworm.cursor import Slice
from inchworm.planwatch import PlanWatch
from inchworm.testing.conformance import Conformance, newest

from .server import PostgresHarness

pytestmark = pytest.mark.postgres


def test_a_lost_index_is_named_beside_the_scan_that_replaced_it(harness: PostgresHarness) -> None:
    target = Conformance().family(harness, parents=20_000, orphans=0)
    harness.execute(target, "analyze children")
    piece = Slice(((2,), (40,)), "asc")
    with closing(harness.open(target)) as db:
        watch = PlanWatch(newest(), db)
        watch.went_well(piece)
        assert watch.change() is None
        assert watch.stopped(piece, 20, 10.0) is None
        harness.execute(target, "drop index children_by_parent")
        why = watch.stopped(piece, 20, 10.0)
    assert why is not None
    assert "children_by_parent" in why
    assert "Seq Scan on children" in why
