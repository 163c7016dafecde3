"""The behaviour that every backend, and every engine over it, must show. Counts progress and never reads a clock.

Subclass `Conformance`, provide a `harness` fixture; override `engine` to judge another engine than ours.
"""

# ruff: noqa: S608, ARG001, ARG005 - values are the test's own; a step takes what it is given
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from inchworm import Backfill, DefinitionError, Report, Runner, Status, Stop
from inchworm import ledger as books
from inchworm.application import ask
from inchworm.errors import Busy, DatabaseBroken, DatabaseFault, DiskFull, InchwormError
from inchworm.pace import BACKOFF_MS
from inchworm.ports import Database
from inchworm.states import Verb
from inchworm.testing.clock import FakeClock
from inchworm.testing.harness import Harness
from inchworm.testing.observed import Observed, Step

PARENTS = "create table parents (id bigint primary key, newest bigint not null default 0, n bigint not null default 0)"
CHILDREN = "create table children (id bigint primary key, parent bigint not null, at bigint not null)"
NEWEST = "select parent as id, max(at) as newest from children where parent between :first and :last group by parent"


def newest(name: str = "newest", **changes: Any) -> Backfill:
    """The incident in small: parents get the newest time of their children; childless ones keep 0."""
    given: dict[str, Any] = {
        "name": name,
        "table": "parents",
        "compute": NEWEST,
        "apply": "update parents set newest = :newest where id = :id and newest < :newest",
    }
    return Backfill(**(given | changes))


def count_up(name: str = "count_up", **changes: Any) -> Backfill:
    """Not idempotent on purpose: a slice applied twice, or a lost one, shows in `n`."""
    given: dict[str, Any] = {
        "name": name,
        "table": "parents",
        "compute": "select id from parents where id between :first and :last",
        "apply": "update parents set n = n + 1 where id = :id",
        "guard": "frozen",
    }
    return Backfill(**(given | changes))


def nothing(what: str, sql: str) -> None:
    """A step that does nothing."""


class StockWriter:
    """Another process with SQLite's stock busy handler, on the fake clock: it looks again after 1, 2, 5, 10 … ms.

    `turns_waited`: for each of its transactions, how many of the migration's turns passed before it was served.
    """

    def __init__(self, time: FakeClock, write: Callable[[int], None]) -> None:
        self._time, self._write = time, write
        self._looks: list[float] = []
        self._free_since: float | None = None
        self._turns = 0
        self.turns_waited: list[int] = []

    def met_a_turn(self) -> None:
        """A turn is running; begin to wait in the middle of it, unless waiting already."""
        self._turns += 1
        if not self._looks:
            at = self._time.monotonic() - 0.0125
            for delay in (*BACKOFF_MS, *[100] * 2_000):
                at += delay / 1000
                self._looks.append(at)

    def lock_is(self, *, held: bool) -> None:
        """What the lock is from now on; a wait ends when one of its looks fell into a time when the lock was free."""
        now = self._time.monotonic()
        if held:
            self._free_since = None
            return
        since = self._free_since if self._free_since is not None else now
        self._free_since = since
        if any(since < look <= now for look in self._looks):
            self._write(len(self.turns_waited))
            self.turns_waited.append(self._turns)
            self._looks, self._turns = [], 0


class Conformance:
    """The suite. `rows` of a slice are kept small, so that a few hundred rows make many turns.

    one_write_lock: whether all writers of the backend wait for one lock, as SQLite's do.
    """

    rows_per_slice = 20
    one_write_lock = True

    def engine(self, target: str, db: Callable[[], Database], migrations: Sequence[Backfill], **options: Any) -> Report:
        """The engine under test: ours. A mutant overrides this."""
        stop = options.pop("stop")
        runner = Runner(target, migrations, open_with=lambda _: db(), first_rows=self.rows_per_slice, **options)
        return runner.run(stop=stop)

    def go(
        self,
        harness: Harness,
        target: str,
        *migrations: Backfill,
        step: Step = nothing,
        stop: Stop | None = None,
        clock: FakeClock | None = None,
        **options: Any,
    ) -> Report:
        """Run with every step observed, on a fake clock."""
        time = clock or FakeClock()

        def db() -> Database:
            return Observed(harness.open(target, time), step)

        return self.engine(target, db, migrations, stop=stop or Stop(), clock=time, **options)

    # -- fixtures of data

    def family(self, harness: Harness, parents: int = 200, orphans: int = 30) -> str:
        """Parents with even ids; the first `orphans` of them are childless; children in the order of arrival."""
        target = harness.fresh()
        values = ", ".join(f"({2 * i}, 0, 0)" for i in range(1, parents + 1))
        born = range(orphans + 1, parents + 1)
        children = ", ".join(f"({3 * i + k}, {2 * i}, {1000 + i * (k + 1)})" for i in born for k in range(i % 3 + 1))
        statements = [PARENTS, CHILDREN, "create index children_by_parent on children (parent)"]
        if parents:
            statements.append(f"insert into parents (id, newest, n) values {values}")
        if children:
            statements.append(f"insert into children (id, parent, at) values {children}")
        harness.execute(target, *statements)
        return target

    def wrong(self, harness: Harness, target: str) -> int:
        """Parents whose newest is not that of their children, by an independent query."""
        [(count,)] = harness.rows(
            target,
            "select count(*) from parents p where newest <> "
            "coalesce((select max(at) from children c where c.parent = p.id), 0)",
        )
        return int(str(count))

    def values(self, harness: Harness, target: str, column: str) -> list[object]:
        return [row[0] for row in harness.rows(target, f"select {column} from parents order by id")]

    # -- A: ends, and covers every key once

    def test_it_ends_although_some_rows_can_never_match(self, harness: Harness) -> None:
        target = self.family(harness, parents=200, orphans=30)
        outcome = self.go(harness, target, newest())["newest"]
        assert outcome.status is Status.DONE
        assert (outcome.counts.examined, outcome.counts.changed, outcome.counts.unchanged) == (200, 170, 30)
        assert self.wrong(harness, target) == 0

    def test_an_empty_table_is_done_with_nothing_examined(self, harness: Harness) -> None:
        outcome = self.go(harness, self.family(harness, parents=0), newest())["newest"]
        assert (outcome.status, outcome.counts.examined, outcome.total.rows) == (Status.DONE, 0, 0)

    def test_a_single_row_is_done(self, harness: Harness) -> None:
        outcome = self.go(harness, self.family(harness, parents=1, orphans=0), newest())["newest"]
        assert (outcome.status, outcome.counts.changed) == (Status.DONE, 1)

    def test_rows_inserted_meanwhile_do_not_keep_it_alive(self, harness: Harness) -> None:
        target = self.family(harness, parents=100)
        fresh = iter(range(10_001, 20_000))

        def insert(what: str, sql: str) -> None:
            if what == "committed" and self.values(harness, target, "n").count(1):  # the bound has been taken
                harness.execute(target, *(f"insert into parents (id) values ({next(fresh)})" for _ in range(30)))

        outcome = self.go(harness, target, count_up(), step=insert)["count_up"]
        assert (outcome.status, outcome.counts.examined) == (Status.DONE, 100)
        assert self.values(harness, target, "n")[100:].count(1) == 0

    def test_gaps_in_the_keys_cost_no_slices(self, harness: Harness) -> None:
        target = self.family(harness, parents=40)
        harness.execute(target, "insert into parents (id) values (1000000000)")
        outcome = self.go(harness, target, count_up())["count_up"]
        assert outcome.slices <= 3
        assert outcome.counts.examined == 41

    def test_rows_deleted_meanwhile_end_it_early_and_the_accounts_agree(self, harness: Harness) -> None:
        target = self.family(harness, parents=200)
        cut: list[str] = []

        def delete(what: str, sql: str) -> None:
            if what == "committed" and sql == "" and not cut and self.values(harness, target, "n").count(1):
                cut.append("done")
                harness.execute(target, "delete from parents where id > 60")

        outcome = self.go(harness, target, count_up(), step=delete)["count_up"]
        assert outcome.status is Status.DONE
        assert outcome.counts.balanced
        assert set(self.values(harness, target, "n")) == {1}

    def test_descending_order_starts_with_the_highest_key(self, harness: Harness) -> None:
        target = self.family(harness, parents=100, orphans=0)
        seen: list[object] = []

        def watch(what: str, sql: str) -> None:
            if what == "committed" and not seen and 1 in (n := self.values(harness, target, "n")):
                seen.extend(n)

        outcome = self.go(harness, target, count_up(order="desc"), step=watch)["count_up"]
        assert (seen[0], seen[-1]) == (0, 1)
        assert self.values(harness, target, "n") == [1] * outcome.counts.examined

    def test_a_key_that_is_not_unique_is_refused(self, harness: Harness) -> None:
        target = self.family(harness)
        refused = newest(table="children", key="parent", compute=NEWEST.replace("parent as id", "parent"))
        outcome = self.go(harness, target, refused)["newest"]
        assert outcome.status is Status.FAILED
        assert "not unique" in (outcome.error or "")

    def test_a_missing_table_fails_instead_of_being_nothing_to_do(self, harness: Harness) -> None:
        outcome = self.go(harness, harness.fresh(), newest())["newest"]
        assert outcome.status is Status.FAILED
        assert "parents" in (outcome.error or "")

    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_composite_and_text_keys_are_walked_whole(self, harness: Harness, order: str) -> None:
        target = harness.fresh()
        pairs = ", ".join(f"('{a}', {b}, 0)" for a in "abcde" for b in range(-7, 8))
        table = "create table pairs (a varchar(9) not null, b bigint not null, n bigint not null, primary key (a, b))"
        harness.execute(target, table, f"insert into pairs values {pairs}")
        migration = Backfill(
            name="pairs",
            table="pairs",
            key=("a", "b"),
            order="asc" if order == "asc" else "desc",
            compute="select a, b from pairs where (a, b) >= (:first_a, :first_b) and (a, b) <= (:last_a, :last_b)",
            apply="update pairs set n = n + 1 where a = :a and b = :b",
            guard="frozen",
        )
        outcome = self.go(harness, target, migration)["pairs"]
        assert (outcome.status, outcome.counts.changed) == (Status.DONE, 75)
        assert {row[0] for row in harness.rows(target, "select n from pairs")} == {1}

    # -- B: exactly once

    def test_the_same_name_never_runs_twice(self, harness: Harness) -> None:
        target = self.family(harness, parents=50)
        self.go(harness, target, count_up())
        assert self.go(harness, target, count_up()).ok
        assert set(self.values(harness, target, "n")) == {1}

    def test_it_resumes_where_it_stopped_and_keeps_the_partial_work(self, harness: Harness) -> None:
        target, stop = self.family(harness), Stop()

        def interrupt(what: str, sql: str) -> None:
            if what == "committed" and 1 in self.values(harness, target, "n"):
                stop.set("SIGTERM")

        first = self.go(harness, target, count_up(), step=interrupt, stop=stop)["count_up"]
        assert (first.status, first.reason) == (Status.INTERRUPTED, "interrupted: SIGTERM")
        assert 0 < first.counts.examined < 200
        assert self.values(harness, target, "n").count(1) == first.counts.examined
        second = self.go(harness, target, count_up())["count_up"]
        assert (second.status, second.counts.examined) == (Status.DONE, 200)
        assert set(self.values(harness, target, "n")) == {1}

    def test_other_connections_see_partial_work_and_can_write_between_turns(self, harness: Harness) -> None:
        target = self.family(harness)
        seen: list[int] = []

        def other(what: str, sql: str) -> None:
            if what == "committed":
                harness.execute(target, "update parents set newest = newest where id = 2")
                seen.append(self.values(harness, target, "n").count(1))

        self.go(harness, target, count_up(), step=other)
        assert sum(0 < n < 200 for n in seen) >= 3

    def test_killed_at_any_step_it_loses_nothing_and_repeats_nothing(self, harness: Harness) -> None:
        target = self.family(harness, parents=80)
        kills = 0
        while not self._survives(harness, target, count_up(), at=1 + kills * 3 % 61):
            kills += 1
            assert kills < 400, "it makes no progress between kills"
        assert kills >= 5
        outcome = self.go(harness, target, count_up())["count_up"]
        assert (outcome.status, outcome.counts.changed) == (Status.DONE, 80)
        assert set(self.values(harness, target, "n")) == {1}

    def _survives(self, harness: Harness, target: str, migration: Backfill, *, at: int) -> bool:
        """Run in a child process that is killed with -9 before step `at`; whether it came to its end first."""
        child = os.fork()
        if child == 0:
            steps = 0

            def step(what: str, sql: str) -> None:
                nonlocal steps
                steps += 1
                if steps == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            code = 1
            try:
                code = 0 if self.go(harness, target, migration, step=step).ok else 1
            finally:
                os._exit(code)
        _, how = os.waitpid(child, 0)
        assert os.WIFSIGNALED(how) or os.WEXITSTATUS(how) == 0
        return not os.WIFSIGNALED(how)

    def test_counters_are_those_of_the_table(self, harness: Harness) -> None:
        target = self.family(harness)
        harness.execute(target, "update parents set newest = 999999 where id > 300")
        outcome = self.go(harness, target, newest())["newest"]
        assert outcome.counts.changed == 120
        assert outcome.counts.unchanged == 80

    def test_a_matched_row_that_keeps_its_value_is_not_counted_as_changed(self, harness: Harness) -> None:
        target = self.family(harness, parents=60)
        same = Backfill(
            name="same", table="parents", update="update parents set n = 7 where id between :first and :last"
        )
        harness.execute(target, "update parents set n = 7 where id <= 40")
        outcome = self.go(harness, target, same)["same"]
        assert (outcome.counts.changed, outcome.counts.unchanged) == (40, 20)

    def test_an_update_behind_with_is_counted(self, harness: Harness) -> None:
        target = self.family(harness, parents=60, orphans=0)
        migration = Backfill(
            name="cte",
            table="parents",
            update="with c as (select parent, max(at) as m from children where parent between :first and :last"
            " group by parent) update parents set newest = (select m from c where c.parent = parents.id)"
            " where id between :first and :last",
        )
        outcome = self.go(harness, target, migration)["cte"]
        assert outcome.counts.changed == 60
        assert self.wrong(harness, target) == 0

    # -- guards

    @pytest.mark.parametrize("guard", ["monotone", "compare", "reread"])
    def test_a_writer_between_compute_and_apply_is_not_lost(self, harness: Harness, guard: str) -> None:
        target = self.family(harness)
        fresh = iter(range(100_000, 200_000))

        def live(what: str, sql: str) -> None:
            if what == "begin":  # computed, and not yet applied
                moment = next(fresh)
                one = f"insert into children (id, parent, at) values ({moment}, {2 * (moment % 200) + 2}, {moment})"
                two = f"update parents set newest = {moment} where id = {2 * (moment % 200) + 2}"
                harness.execute(target, one, two)

        outcome = self.go(harness, target, self.guarded(guard), step=live)["newest"]
        assert outcome.status is Status.DONE
        assert self.wrong(harness, target) == 0

    def guarded(self, guard: str) -> Backfill:
        if guard == "monotone":
            return newest()
        plain = "update parents set newest = :newest where id = :id"
        relies = "select parent as id, max(at), count(*) from children where parent between :first and :last group by 1"
        if guard == "compare":
            return newest(apply=plain, guard="compare", relies_on=relies)
        return newest(apply=plain, guard="reread")

    def test_a_transform_with_compare_recomputes_rows_that_changed_meanwhile(self, harness: Harness) -> None:
        target = self.family(harness, parents=60)
        done: list[int] = []

        def live(what: str, sql: str) -> None:
            if what == "begin" and len(done) < 200:
                done.append(1)
                harness.execute(target, f"update parents set newest = {len(done)} where id <= 80")

        migration = Backfill(
            name="twice",
            table="parents",
            transform=lambda rows: [{"id": r["id"], "n": 2 * int(str(r["newest"])) + 1} for r in rows],
            apply="update parents set n = :n where id = :id",
            guard="compare",
            relies_on=("newest",),
        )
        at_apply: dict[object, tuple[object, object]] = {}

        def step(what: str, sql: str) -> None:
            live(what, sql)
            if what == "committed":
                for key, value, n in harness.rows(target, "select id, newest, n from parents"):
                    if n != 0 and key not in at_apply:
                        at_apply[key] = (n, 2 * int(str(value)) + 1)

        assert self.go(harness, target, migration, step=step).ok
        assert len(at_apply) == 60
        assert all(n == expected for n, expected in at_apply.values())

    # -- trouble

    def test_a_row_that_cannot_be_changed_is_put_aside_with_its_key(self, harness: Harness) -> None:
        target = self.family(harness, parents=100)
        harness.execute(
            target, "create table limits (id bigint primary key, n bigint not null check (n <> 51 and n <> 120))"
        )
        migration = count_up(
            compute="select id, id + 1 as m from parents where id between :first and :last",
            apply="insert into limits (id, n) values (:id, :m)",
            on_quarantine="done",
        )
        outcome = self.go(harness, target, migration)["count_up"]
        assert outcome.status is Status.DONE
        assert (outcome.counts.quarantined, outcome.counts.changed) == (1, 99)
        assert outcome.counts.balanced
        assert harness.rows(target, "select row_key from _async_quarantine") == [("[50]",)]

    def test_quarantined_rows_fail_it_unless_it_says_otherwise_and_a_retry_mends_them(self, harness: Harness) -> None:
        target = self.family(harness, parents=50)
        harness.execute(target, "create table limits (id bigint primary key, n bigint not null check (n <> 51))")
        migration = count_up(
            compute="select id, id + 1 as m from parents where id between :first and :last",
            apply="insert into limits (id, n) values (:id, :m)",
        )
        outcome = self.go(harness, target, migration)["count_up"]
        assert outcome.status is Status.FAILED
        assert "50" in (outcome.error or "")
        harness.execute(
            target,
            "create table loose (id bigint primary key, n bigint not null)",
            "insert into loose select id, n from limits",
            "drop table limits",
            "alter table loose rename to limits",
        )
        assert self.ask(harness, target, "count_up", "retry") == "pending"
        outcome = self.go(harness, target, migration)["count_up"]
        assert (outcome.status, outcome.counts.quarantined, outcome.counts.changed) == (Status.DONE, 0, 50)
        assert outcome.counts.balanced

    def ask(self, harness: Harness, target: str, name: str, verb: str) -> str:
        """An operator's request from outside."""
        return self.ask_at(harness, target, name, verb, FakeClock())

    @pytest.mark.parametrize("fault", [Busy, DatabaseBroken, DiskFull])
    @pytest.mark.parametrize("what", ["begin", "apply", "execute", "commit", "select", "snapshot"])
    def test_a_passing_fault_at_any_step_changes_nothing_in_the_result(
        self, harness: Harness, fault: type[DatabaseFault], what: str
    ) -> None:
        target = self.family(harness, parents=100)
        count, walking = 0, False

        def step(now: str, sql: str) -> None:
            nonlocal count, walking
            if now == "committed":
                walking = walking or 1 in self.values(harness, target, "n")
            if now == what and ("parents" in sql or what in ("begin", "commit") or "_async" in sql):
                count += 1
                if count in (9, 10, 13) and walking:
                    raise fault("injected")

        outcome = self.go(harness, target, count_up(), step=step)["count_up"]
        assert outcome.status in (Status.DONE, Status.FAILED)
        if outcome.status is Status.DONE:
            assert set(self.values(harness, target, "n")) == {1}
        else:
            assert outcome.error

    @pytest.mark.parametrize("kind", [0, 3, 5])
    def test_a_commit_whose_answer_was_lost_is_not_repeated(self, harness: Harness, kind: int) -> None:
        target = self.family(harness, parents=100)
        commits = 0

        def step(what: str, sql: str) -> None:
            nonlocal commits
            if what == "committed" and 1 in self.values(harness, target, "n"):
                commits += 1
                if commits == 1 + kind:
                    raise DatabaseBroken("server closed the connection unexpectedly")

        outcome = self.go(harness, target, count_up(), step=step)["count_up"]
        assert (outcome.status, outcome.counts.changed) == (Status.DONE, 100)
        assert set(self.values(harness, target, "n")) == {1}

    def test_a_lasting_fault_fails_it_with_the_error_and_never_calls_it_done(self, harness: Harness) -> None:
        target = self.family(harness)

        def step(what: str, sql: str) -> None:
            if what == "apply":
                raise DatabaseBroken("disk I/O error")

        outcome = self.go(harness, target, count_up(), step=step)["count_up"]
        assert outcome.status is Status.FAILED
        assert "disk I/O error" in (outcome.error or "")
        assert set(self.values(harness, target, "n")) == {0}

    def test_a_broken_migration_stops_only_its_dependants(self, harness: Harness) -> None:
        target = self.family(harness, parents=40)
        broken = newest("broken", compute=NEWEST.replace("children", "nowhere"))
        report = self.go(harness, target, count_up("last", after=("broken",)), broken, count_up("free"))
        assert report["broken"].status is Status.FAILED
        assert report["free"].status is Status.DONE
        assert (report["last"].status, report["last"].reason) == (Status.PENDING, "waits for broken")

    def test_verification_that_selects_rows_fails_it(self, harness: Harness) -> None:
        target = self.family(harness, parents=40)
        outcome = self.go(
            harness, target, newest(verify="select id from parents where id between :first and :last and id = 32")
        )["newest"]
        assert outcome.status is Status.FAILED
        assert "32" in (outcome.error or "")

    def test_a_changed_definition_under_a_begun_name_is_refused(self, harness: Harness) -> None:
        target, stop = self.family(harness), Stop()

        def interrupt(what: str, sql: str) -> None:
            if what == "apply":
                stop.set("test")

        self.go(harness, target, count_up(), step=interrupt, stop=stop)
        outcome = self.go(harness, target, count_up(apply="update parents set n = n + 2 where id = :id"))["count_up"]
        assert outcome.status is Status.FAILED
        assert "definition changed" in (outcome.error or "")

    # -- operators

    @pytest.mark.parametrize(("verb", "status"), [("pause", Status.PAUSED), ("cancel", Status.CANCELLED)])
    def test_a_request_during_the_run_is_heeded_and_partial_work_stays(
        self, harness: Harness, verb: str, status: Status
    ) -> None:
        target, time = self.family(harness), FakeClock()
        asked: list[str] = []

        def step(what: str, sql: str) -> None:
            time.advance(0.2)
            if what == "committed" and not asked and 1 in self.values(harness, target, "n"):
                asked.append(self.ask_at(harness, target, "count_up", verb, time))

        outcome = self.go(harness, target, count_up(), step=step, clock=time, wait_paused=False, stall_budget_ms=9e9)
        one = outcome["count_up"]
        assert asked == ["requested"]
        assert one.status is status
        assert 0 < one.counts.examined < 200
        follow = "resume" if verb == "pause" else "retry"
        assert self.ask(harness, target, "count_up", follow) == "pending"
        assert self.go(harness, target, count_up())["count_up"].status is Status.DONE
        assert set(self.values(harness, target, "n")) == {1}

    def ask_at(self, harness: Harness, target: str, name: str, verb: str, time: FakeClock) -> str:
        db = harness.open(target, time)
        try:
            return ask(db, time, name, Verb(verb), "ada")
        finally:
            db.close()

    def test_a_paused_migration_stays_paused_over_a_restart(self, harness: Harness) -> None:
        target, stop = self.family(harness), Stop()
        self.go(harness, target, count_up(), step=lambda what, sql: stop.set() if what == "apply" else None, stop=stop)
        assert self.ask(harness, target, "count_up", "pause") == "paused"
        outcome = self.go(harness, target, count_up(), wait_paused=False)["count_up"]
        assert (outcome.status, outcome.reason) == (Status.PAUSED, "paused by ada")

    def test_every_second_of_a_run_is_booked(self, harness: Harness) -> None:
        target, time = self.family(harness), FakeClock()
        reasons = iter(["quiet hours", "quiet hours", None])

        def step(what: str, sql: str) -> None:
            time.advance(0.001)

        self.go(harness, target, count_up(), step=step, clock=time, throttle=lambda: next(reasons, None))
        db = harness.open(target, time)
        try:
            with db.snapshot() as reads:
                entry = books.entry(reads, "count_up")
        finally:
            db.close()
        assert entry is not None
        assert entry.throttled["quiet hours"] == pytest.approx(1.0, abs=0.1)
        assert entry.active_s > 0

    # -- other writers

    def test_a_stock_writer_that_met_a_long_turn_is_served_before_the_next(self, harness: Harness) -> None:
        if not self.one_write_lock:
            pytest.skip("writers of this backend wait for rows, not for one lock")
        target, time = self.family(harness), FakeClock()
        harness.execute(target, "create table live (at bigint primary key)")
        stranger = StockWriter(time, lambda at: harness.execute(target, f"insert into live values ({at})"))

        def step(what: str, sql: str) -> None:
            if what == "execute" and "update parents set n" in sql:
                time.advance(0.025)  # a form that computes inside the lock: it cannot be made shorter by fewer rows
                stranger.met_a_turn()
            stranger.lock_is(held=what not in ("begin", "committed", "snapshot", "select"))

        migration = Backfill(
            name="long", table="parents", update="update parents set n = 1 where n = 0 and id between :first and :last"
        )
        outcome = self.go(harness, target, migration, step=step, clock=time)["long"]
        assert outcome.status is Status.DONE
        assert stranger.turns_waited[2:], "nobody met a turn, so nothing was tried"
        # the first two are not known yet: SQLite does not tell who waits
        assert max(stranger.turns_waited[2:]) <= 1

    # -- two runners

    def test_a_runner_that_was_overtaken_writes_nothing_more(self, harness: Harness) -> None:
        target, time = self.family(harness), FakeClock()
        overtaken: list[Report] = []

        def step(what: str, sql: str) -> None:
            if what == "begin" and not overtaken and 1 in self.values(harness, target, "n"):
                time.advance(3600)  # this process was stopped for an hour; its lease is over
                overtaken.append(self.go(harness, target, count_up(), clock=FakeClock(time.wall())))

        report = self.go(harness, target, count_up(), step=step, clock=time)
        assert overtaken[0].ok
        assert report.ok
        assert set(self.values(harness, target, "n")) == {1}

    def test_a_definition_without_a_guard_is_refused_with_an_explanation(self) -> None:
        with pytest.raises(DefinitionError, match="guard='reread'"):
            newest(apply="update parents set newest = :newest where id = :id")
        with pytest.raises(InchwormError, match="key it walks by"):
            newest(apply="update parents set id = :newest where id = :id and id < :newest")
