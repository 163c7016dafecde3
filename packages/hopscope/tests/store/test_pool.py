"""Read-only connections: bounded, with a deadline, following the file at a path."""

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from meshes import Mesh

from hopscope.store import packets, stats
from hopscope.store.pool import ReadPool, Snapshot, TooBusy, TooSlow, Unavailable
from hopscope.store.watch import Clock, Watch

FOREVER = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    made = Mesh(tmp_path / "mesh.db")
    yield made
    made.close()


@pytest.fixture
def pool(mesh: Mesh) -> Iterator[ReadPool]:
    made = ReadPool(str(mesh.path), size=1, deadline_s=0.2, wait_s=0.01)
    yield made
    made.close()


def test_several_reads_of_one_query_see_one_moment(mesh: Mesh, pool: ReadPool) -> None:
    mesh.ack(1)

    def read(db: Snapshot) -> tuple[int, int]:
        before = stats.totals(db).observations
        mesh.ack(2)
        return before, stats.totals(db).observations

    assert pool.read(read) == (1, 1)
    assert pool.read(stats.totals).observations == 2


def test_nothing_can_be_written(pool: ReadPool) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        pool.read(lambda db: db.execute("delete from meta"))


def test_a_read_is_stopped_at_its_deadline_and_the_connection_goes_on(pool: ReadPool) -> None:
    with pytest.raises(TooSlow, match="took too long"):
        pool.read(lambda db: db.execute(FOREVER).get)
    assert pool.read(stats.totals).observations == 0


def test_a_read_does_not_wait_for_ever_for_a_connection(mesh: Mesh, pool: ReadPool) -> None:
    taken, done = threading.Event(), threading.Event()

    def hold(_: Snapshot) -> None:
        taken.set()
        done.wait(5)

    thread = threading.Thread(target=pool.read, args=(hold,))
    thread.start()
    taken.wait(5)
    with pytest.raises(TooBusy):
        pool.read(stats.totals)
    done.set()
    thread.join()
    assert pool.read(stats.totals).observations == 0
    assert len(pool.waits_ms()) == 2


def test_a_defect_in_a_query_passes_through_and_leaves_the_connection_usable(pool: ReadPool) -> None:
    with pytest.raises(ZeroDivisionError):
        pool.read(lambda _: 1 // 0)
    with pytest.raises(apsw.SQLError):
        pool.read(lambda db: db.execute("select nonsense"))
    assert pool.read(stats.totals).observations == 0


def test_a_closed_pool_refuses_and_closing_twice_is_fine(pool: ReadPool) -> None:
    pool.read(stats.totals)
    pool.close()
    pool.close()
    with pytest.raises(Unavailable):
        pool.read(stats.totals)


def test_a_reader_does_not_hold_up_the_writer(mesh: Mesh, pool: ReadPool) -> None:
    def read(db: Snapshot) -> int:
        stats.totals(db)
        for number in range(20):
            mesh.ack(number)
        return stats.totals(db).observations

    assert pool.read(read) == 0
    assert stats.totals(mesh.db).observations == 20


def test_the_clock_reads_the_same_until_somebody_commits(mesh: Mesh) -> None:
    clock = Clock(str(mesh.path))
    first = clock.read()
    assert clock.read() == first
    mesh.ack(1)
    assert clock.read() != first
    clock.close()


def test_the_clock_does_not_take_another_database_for_the_same(mesh: Mesh) -> None:
    clock = Clock(str(mesh.path))
    first = clock.read()
    mesh.close()
    for file in mesh.path.parent.glob("mesh.db*"):
        file.unlink()
    assert clock.read() is None
    Mesh(mesh.path).close()
    assert clock.read() not in (None, first)
    clock.close()


def test_a_watch_reads_only_when_something_was_committed(mesh: Mesh) -> None:
    watch = Watch(str(mesh.path))
    assert watch.look(lambda db: stats.totals(db).observations) == 0
    assert watch.look(lambda db: stats.totals(db).observations) is None
    mesh.ack(1)
    assert watch.look(lambda db: stats.totals(db).observations) == 1
    watch.close()


def test_a_watch_that_failed_to_read_reads_again(mesh: Mesh) -> None:
    watch = Watch(str(mesh.path))
    with pytest.raises(ZeroDivisionError):
        watch.look(lambda _: 1 // 0)
    assert watch.look(lambda db: stats.totals(db).observations) == 0
    watch.close()


@pytest.mark.parametrize("latest", [False, True])
@pytest.mark.parametrize("ascending", [False, True])
def test_a_filtered_walk_stops_and_goes_on_without_losing_a_row(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, *, ascending: bool, latest: bool
) -> None:
    """A filter that matches almost nothing must not make a request as long as the history."""
    monkeypatch.setattr(packets, "CANDIDATES", 3)
    made = [mesh.ack(number, route=1 + (number > 5), at=1_790_000_000_000 + number // 2) for number in range(11)]
    found, after, steps = [], None, 0
    while steps < 9:
        query = packets.PacketQuery(latest=latest, ascending=ascending, route=2, after=after)
        page = packets.page(mesh.db, query)
        found += [row.hash.hex() for row in page.rows]
        after, steps = page.next, steps + 1
        if after is None:
            break
    assert (found, steps) == (made[6:] if ascending else made[:5:-1], 4)


def test_a_total_that_was_not_counted_to_the_end_says_so(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "COUNT_CAP", 3)
    for number in range(5):
        mesh.ack(number)
    page = packets.page(mesh.db, packets.PacketQuery(type=3))
    assert (len(page.rows), page.total, page.total_exact) == (5, 3, False)


@pytest.mark.parametrize("cap", [0, 5000])
def test_an_observers_packets_are_the_same_by_walk_and_by_gathering(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, cap: int
) -> None:
    monkeypatch.setattr(packets, "GATHER_CAP", cap)
    wanted = [mesh.ack(number, at=1_790_000_000_000 + number // 2, by="B2" * 32) for number in range(7)]
    for number in range(7, 14):
        mesh.ack(number)
    observer = mesh.db.execute("select id from observers where ident = ?", ("B2" * 32,)).get
    for latest in (False, True):
        for ascending in (False, True):
            seen: list[str] = []
            after = None
            while True:
                query = packets.PacketQuery(latest, ascending, limit=2, after=after, observers=(observer,))
                page = packets.page(mesh.db, query)
                seen += [row.hash.hex() for row in page.rows]
                assert page.total == 7
                after = page.next
                if after is None:
                    break
            assert sorted(seen) == sorted(wanted)
