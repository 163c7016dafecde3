"""An index table is right whatever writes its base, at every moment, however often its making is killed."""

import contextlib
import random
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import inchworm
from inchworm import DefinitionError, IndexBuild, IndexTable, Report, Status, Stop
from inchworm.errors import Busy, DatabaseBroken, DatabaseFault, DeadlineExceeded, DiskFull
from inchworm.model import TRIGGERS
from inchworm.plan import MigrationPlan, plan_migrations
from inchworm.recheck import recheck
from inchworm.sqlite.driver import Driver, open_path
from inchworm.testing import FakeClock, SqliteHarness
from inchworm.testing.conformance import Conformance, count_up, newest

suite = Conformance()

PACKETS = (
    "create table packets (id integer primary key, sender text collate nocase, at real, "
    "hash blob unique, slot integer, note text)",
    "create unique index packets_slot on packets (slot) where slot > 0 and note <> 'no; -- slot'",
    "create unique index packets_dedup on packets (at desc, coalesce(note, '') collate nocase desc, slot + 1e2)",
)


@pytest.fixture(params=["sqlite3", "apsw"])
def harness(tmp_path: Any, request: pytest.FixtureRequest) -> SqliteHarness:
    pytest.importorskip(request.param)
    return SqliteHarness(tmp_path, request.param)


def by_sender(**changes: Any) -> IndexTable:
    given: dict[str, Any] = {
        "name": "by_sender_v1",
        "table": "packets",
        "columns": ("sender", "at"),
        "index_table": "packets_by_sender",
    }
    return IndexTable(**(given | changes))


def packets(harness: SqliteHarness, rows: int = 200) -> str:
    """Every third packet has no sender, every fifth no time; senders differ in case only."""
    target = harness.fresh()
    harness.execute(target, *PACKETS)
    values = ", ".join(
        f"({2 * i}, {'null' if i % 3 == 0 else repr('aAbB'[i % 4])}, {'null' if i % 5 == 0 else i % 7}, "
        f"x'{i:08x}', {i if i % 2 else 'null'}, 'n')"
        for i in range(1, rows + 1)
    )
    if rows:
        harness.execute(target, f"insert into packets values {values}")
    return target


ROW = "id, hex(cast(sender as blob)), typeof(sender), at, typeof(at)"
DIFFERENCE = (
    f"select * from (select {ROW} from packets_by_sender except select {ROW} from packets) union all "
    f"select * from (select {ROW} from packets except select {ROW} from packets_by_sender) union all "
    "select count(*), '', '', 0, '' from packets_by_sender group by id having count(*) > 1"
)


def wrong(harness: SqliteHarness, target: str) -> Sequence[Any]:
    """Entries and rows that are not each other's, by value, storage class and spelling."""
    return harness.rows(target, DIFFERENCE)


def go(harness: SqliteHarness, target: str, *migrations: Any, **options: Any) -> Report:
    return suite.go(harness, target, *migrations, **options)


def made(harness: SqliteHarness, target: str) -> set[str]:
    """What there is of the index table."""
    return {
        str(r[0])
        for r in harness.rows(target, "select name from sqlite_master where name like 'packets~_by%' escape '~'")
    }


def test_it_holds_an_entry_for_each_row_and_look_ups_by_it_search(harness: SqliteHarness) -> None:
    target = packets(harness)
    outcome = go(harness, target, by_sender())["by_sender_v1"]
    assert (outcome.status, outcome.error) == (Status.DONE, None)
    assert (outcome.counts.examined, outcome.counts.changed) == (200, 200)
    assert wrong(harness, target) == []
    plan = harness.rows(target, "explain query plan select max(at) from packets_by_sender where sender = 'A'")
    assert "SEARCH packets_by_sender USING COVERING INDEX packets_by_sender_order (sender=?)" in str(plan[0])
    nulls = "select count(*) from packets_by_sender where sender is null"
    assert harness.rows(target, nulls) == [(66,)]
    assert harness.rows(target, "select count(*) from packets_by_sender where sender = 'a'") == harness.rows(
        target, "select count(*) from packets where sender = 'a'"
    )


@pytest.mark.parametrize("rows", [0, 1])
def test_an_empty_table_and_a_single_row_are_done_and_kept_current_afterwards(
    harness: SqliteHarness, rows: int
) -> None:
    target = packets(harness, rows)
    outcome = go(harness, target, by_sender())["by_sender_v1"]
    assert (outcome.status, outcome.counts.examined) == (Status.DONE, rows)
    harness.execute(target, "insert into packets (sender, at) values ('z', 1.5)", "update packets set sender = 'Z'")
    assert wrong(harness, target) == []
    assert harness.rows(target, "select count(*) from packets_by_sender") == [(rows + 1,)]


def test_running_it_again_does_nothing_and_it_may_be_waited_for(harness: SqliteHarness) -> None:
    target = packets(harness)
    harness.execute(target, "create table parents (id integer primary key, n int not null default 0)")
    harness.execute(target, "insert into parents (id) values (1), (2)")
    after = count_up(after=("by_sender_v1",), compute="select p.id from parents p where id between :first and :last "
                     "and exists (select 1 from packets_by_sender where sender = 'a')")  # fmt: skip
    assert go(harness, target, after, by_sender()).ok
    assert harness.rows(target, "select sum(n) from parents") == [(2,)]
    assert go(harness, target, by_sender())["by_sender_v1"].slices > 0
    assert wrong(harness, target) == []


def statuses(harness: SqliteHarness, target: str) -> list[Any]:
    there = harness.rows(target, "select 1 from sqlite_master where name = '_async_migrations'")
    return [row[0] for row in harness.rows(target, "select status from _async_migrations")] if there else []


# -- writers


@contextmanager
def connected(harness: SqliteHarness, target: str, *, recursive: bool) -> Iterator[Driver]:
    with closing(open_path(target, read_only=False, library=harness.library)) as driver:
        driver.run("pragma synchronous = off")
        driver.run(f"pragma recursive_triggers = {'on' if recursive else 'off'}")
        yield driver


def a_write(chance: random.Random) -> str:
    """One statement of the kinds that meet triggers, conflicts and keys in different ways."""
    key, other, slot = chance.randint(1, 60), chance.randint(1, 60), chance.randint(-3, 30)
    sender = chance.choice(["'a'", "'A'", "null", "'b'", "''"])
    at = chance.choice(["null", "1", "1.5", "-2", "'text'"])
    row = f"({key}, {sender}, {at}, x'{chance.randint(0, 40):02x}', {slot}, {chance.choice(['null', repr('n')])})"
    how = chance.choice(["", "or replace", "or ignore", "or fail", "or rollback"])
    return chance.choice(
        [
            f"insert {how} into packets values {row}",
            f"replace into packets values {row}",
            f"insert into packets values {row} on conflict do nothing",
            f"insert into packets values {row} on conflict (id) do update set sender = excluded.sender, at = {at}",
            f"insert into packets values {row} on conflict (hash) do update set note = 'seen'",
            f"update {how} packets set sender = {sender}, at = {at} where id = {key}",
            f"update {how} packets set id = {other} where id = {key}",
            f"update {how} packets set rowid = {other} where id = {key}",
            f"update {how} packets set slot = {slot}, note = 'm' where id in ({key}, {other})",
            f"update {how} packets set hash = x'{chance.randint(0, 40):02x}' where id = {key}",
            "update packets set id = -id",
            f"update packets set sender = upper(sender) where id > {key}",
            f"delete from packets where id between {key} and {key + 2}",
            f"delete from packets where sender is {sender}",
        ]
    )


@pytest.mark.parametrize("recursive", [False, True], ids=["recursive_off", "recursive_on"])
@pytest.mark.parametrize("seed", range(2))
def test_whatever_statement_changes_a_row_its_entry_follows_at_once(
    harness: SqliteHarness, recursive: bool, seed: int
) -> None:
    target, chance, written = packets(harness, 30), random.Random(seed), 0
    assert go(harness, target, by_sender()).ok
    with connected(harness, target, recursive=recursive) as driver:
        for _ in range(400):
            statement = a_write(chance)
            written += attempted(driver, statement)
            assert not driver.run(DIFFERENCE).rows, statement
    assert written > 250


def attempted(driver: Driver, statement: str) -> bool:
    """Whether it was carried out; a constraint may refuse it, and nothing else."""
    try:
        driver.run(statement)
    except Exception as problem:
        if "constraint" not in str(problem).lower():
            raise
        return False
    return True


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_each_of_its_triggers_is_needed(harness: SqliteHarness, trigger: str) -> None:
    target, chance, wrong_after = packets(harness, 30), random.Random(1), 0
    assert go(harness, target, by_sender()).ok
    with connected(harness, target, recursive=False) as driver:
        driver.run(f"drop trigger packets_by_sender{trigger}")
        while not driver.run(DIFFERENCE).rows:
            wrong_after += attempted(driver, a_write(chance))
            assert wrong_after < 5_000, "nothing went wrong without it"


@pytest.mark.parametrize("order", ["before_ours", "after_ours"])
def test_triggers_of_others_that_change_or_remove_the_very_row_do_not_matter(
    harness: SqliteHarness, order: str
) -> None:
    target = packets(harness, 30)
    foreign = (
        "create trigger f1 after insert on packets begin update packets set sender = 'F' where id = new.id; end",
        "create trigger f2 after insert on packets when new.note = 'gone' begin delete from packets where id = new.id;"
        " end",
        "create trigger f3 after delete on packets when old.note = 'stays' begin insert into packets (id, sender)"
        " values (old.id, 'again'); end",
        "create trigger f4 after update of at on packets begin update packets set sender = sender || 'u'"
        " where id = new.id; end",
    )
    if order == "before_ours":
        harness.execute(target, *foreign)
    assert go(harness, target, by_sender()).ok
    if order == "after_ours":
        harness.execute(target, *foreign)
    for statement in (
        "insert into packets (id, sender, note) values (901, 'x', 'here'), (903, 'y', 'gone')",
        "update packets set note = 'stays' where id in (2, 4, 901)",
        "delete from packets where id in (2, 6, 901)",
        "update packets set at = 9 where id < 20",
        "replace into packets (id, sender, at) values (4, 'r', 3)",
    ):
        harness.execute(target, statement)
        assert wrong(harness, target) == [], statement


def test_what_foreign_keys_do_to_rows_is_entered(harness: SqliteHarness) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        "create table senders (name text primary key)",
        "create table packets (id integer primary key, sender text references senders (name) on update cascade"
        " on delete set null, at int)",
        "insert into senders values ('a'), ('b')",
        "insert into packets values (1, 'a', 1), (2, 'b', 2), (3, 'a', 3)",
    )
    assert go(harness, target, by_sender()).ok
    with connected(harness, target, recursive=False) as driver:
        driver.run("pragma foreign_keys = on")
        driver.run("update senders set name = 'c' where name = 'a'")
        assert wrong(harness, target) == []
        driver.run("delete from senders where name = 'b'")
    assert wrong(harness, target) == []
    assert harness.rows(target, "select sender, id from packets_by_sender order by id") == [
        ("c", 1),
        (None, 2),
        ("c", 3),
    ]


def test_a_writer_at_every_step_of_the_filling_is_not_lost(harness: SqliteHarness) -> None:
    target, chance = packets(harness, 200), random.Random(7)

    def live(what: str, sql: str) -> None:
        if what in ("begin", "committed", "select") and chance.random() < 0.5:
            with connected(harness, target, recursive=False) as driver:
                attempted(driver, a_write(chance).replace("-id", "id + 1000"))

    outcome = go(harness, target, by_sender(), step=live)["by_sender_v1"]
    assert (outcome.status, outcome.error) == (Status.DONE, None)
    assert outcome.counts.balanced
    assert wrong(harness, target) == []


def test_killed_at_any_step_its_making_goes_on_and_every_entry_is_right(harness: SqliteHarness) -> None:
    target, kills = packets(harness, 100), 0
    while not suite._survives(harness, target, by_sender(), at=1 + kills):  # type: ignore[arg-type]
        kills += 1
        harness.execute(target, f"replace into packets (id, sender, hash) values ({kills % 40}, 'k', x'{kills:02x}')")
        assert kills < 400, "it makes no progress between kills"
    assert kills >= 20
    assert wrong(harness, target) == []
    assert go(harness, target, by_sender())["by_sender_v1"].status is Status.DONE


@pytest.mark.parametrize("fault", [Busy, DatabaseBroken, DiskFull, DeadlineExceeded])
@pytest.mark.parametrize("what", ["begin", "execute", "commit", "committed", "select"])
def test_a_passing_fault_at_any_step_leaves_it_right_or_failed_and_then_a_retry_makes_it_right(
    harness: SqliteHarness, fault: type[DatabaseFault], what: str
) -> None:
    target, count = packets(harness, 100), 0

    def step(now: str, sql: str) -> None:
        nonlocal count
        if now == what and made(harness, target) and (what != "select" or "packets" in sql):
            count += 1
            if count in (1, 2, 5, 9):
                raise fault("injected")

    outcome = go(harness, target, by_sender(), step=step)["by_sender_v1"]
    assert count
    if outcome.status is Status.FAILED:
        assert outcome.error
        assert suite.ask(harness, target, "by_sender_v1", "retry") == "pending"
    assert go(harness, target, by_sender())["by_sender_v1"].status is Status.DONE
    assert wrong(harness, target) == []


def test_of_two_runners_the_overtaken_one_makes_and_enters_nothing_more(harness: SqliteHarness) -> None:
    target, time = packets(harness, 100), FakeClock()
    overtaken: list[Report] = []

    def step(what: str, sql: str) -> None:
        if what == "begin" and not overtaken and "running" in statuses(harness, target):
            time.advance(3600)
            overtaken.append(go(harness, target, by_sender(), clock=FakeClock(time.wall())))

    report = go(harness, target, by_sender(), step=step, clock=time)
    assert overtaken[0].ok
    assert report.ok
    assert wrong(harness, target) == []


def test_no_statement_that_holds_the_lock_reads_more_than_its_slice(harness: SqliteHarness) -> None:
    target, inside = packets(harness, 300), set[str]()

    def step(what: str, sql: str) -> None:
        if what in ("execute", "apply", "read") and not sql.startswith("create") and "packets" in sql:
            inside.add(sql)

    assert go(harness, target, by_sender(), step=step).ok
    assert len(inside) == 2
    for (trigger,) in harness.rows(target, "select sql from sqlite_master where type = 'trigger'"):
        body = str(trigger).partition(" begin ")[2].removesuffix(" end")
        inside |= {part for part in re.split(r"; (?=insert|delete)|;$", body) if part}
    for sql in inside:
        valued = re.sub(r'(new|old)\."[^"]*"|:\w+', "1", sql)
        lines = [str(r[3]) for r in harness.rows(target, "explain query plan " + valued)]
        assert not [line for line in lines if re.match(r"SCAN packets(?!_by_sender_replaced)", line)], (sql, lines)


# -- shapes of tables


@pytest.mark.parametrize(
    ("table", "key", "columns", "rows"),
    [
        ('create table "odd ""t" ("the key" integer primary key, "sel""ect" any, [a b] text collate nocase)', "the key",
         ('sel"ect', "a b"), "(1, 'x', 'y'), (2, null, null), (3, 4.5, 'Y')"),
        ("create table t (a text collate nocase not null, b int not null, v, primary key (a, b)) without rowid",
         ("a", "b"), ("v",), "('x', 1, 1), ('x', 2, null), ('y', 1, x'00')"),
        ("create table t (a text not null unique, v numeric, w blob)", "a", ("w", "v"),
         "('p', '1', '1'), ('q', 1.0, 1), ('r', null, null)"),
        ("create table t (id integer primary key, a any, b any) strict", "id", ("a", "b"),
         "(1, '1', 1), (2, 1, '1'), (3, x'31', null)"),
        ("create table t (id integer primary key, raw text, v text as (lower(raw)) virtual, w as (length(raw)) stored)",
         "id", ("v", "w"), None),
        ("create table t (k blob not null, v real, constraint one unique (k))", "k", ("v", "k"),
         "(x'00', 1), (x'01', 1e300), (x'02', null)"),
    ],
    ids=["odd_names", "composite_without_rowid", "text_key_of_a_rowid_table", "strict_any", "generated", "blob_key"],
)  # fmt: skip
def test_any_shape_of_table_is_indexed_with_its_values_as_they_are(
    harness: SqliteHarness, table: str, key: Any, columns: tuple[str, ...], rows: str | None
) -> None:
    target, name = harness.fresh(), '"odd ""t"' if "odd" in table else "t"
    into = f"{name} (raw)" if rows is None else name
    more = rows or "('Ab'), (null), ('aB')"
    harness.execute(target, table, f"insert into {into} values {more}")
    spec = IndexTable(
        name="m", table=name.strip('"').replace('""', '"'), key=key, columns=columns, index_table='by "what"'
    )
    outcome = go(harness, target, spec)["m"]
    assert (outcome.status, outcome.error, outcome.counts.changed) == (Status.DONE, None, 3)
    listed = [*([key] if isinstance(key, str) else key), *columns]
    names = ", ".join(f'"{c.replace(chr(34), chr(34) * 2)}"' for c in dict.fromkeys(listed))
    kinds = ", ".join(f"typeof({n})" for n in names.split(", "))
    for statement in (None, f"delete from {name} where rowid in (select max(rowid) from {name})", "raw"):
        if statement == "raw":
            statement = f"update {name} set {'raw' if rows is None else names.split(', ')[-1]} = 7"
        if statement and not ("rowid in" in statement and "without rowid" in table):
            with contextlib.suppress(Exception):  # a unique key cannot become 7 in every row
                harness.execute(target, statement)
        entries = harness.rows(target, f'select {names}, {kinds} from "by ""what""" order by 1, 2')
        assert entries == harness.rows(target, f"select {names}, {kinds} from {name} order by 1, 2"), statement


@pytest.mark.parametrize(
    ("table", "changes", "sentence"),
    [
        ("create table other (id)", {}, "there is no table packets"),
        ("create view packets as select 1 as id, 2 as sender, 3 as at", {}, "packets is a view"),
        ("create table packets (id integer primary key, at)", {}, "no column sender"),
        ("create table packets (id int unique, sender, at)", {}, "may be NULL"),
        ("create table packets (id int primary key, sender, at)", {}, "may be NULL"),
        ("create table packets (id int not null, sender, at)", {}, "not unique"),
        ("create table packets (id real not null unique, sender, at)", {}, "is REAL"),
        ("create table packets (sender, at)", {"key": "rowid"}, "no column rowid"),
        ("create table packets (id text collate nocase not null, sender, at);"
         " create unique index u on packets (id collate binary)", {}, "not unique"),
        ("create table packets (id integer primary key, sender, at); create trigger f after insert on packets"
         " when new.at = 1 begin select raise(ignore); end", {}, r"RAISE\(IGNORE\)"),
    ],
)  # fmt: skip
def test_a_table_that_it_could_not_keep_right_is_refused_and_nothing_is_made(
    harness: SqliteHarness, table: str, changes: dict[str, Any], sentence: str
) -> None:
    target = harness.fresh()
    before, trigger, after = table.partition(" create trigger")
    harness.execute(target, *before.rstrip("; ").split("; "), *([trigger + after] if trigger else []))
    outcome = go(harness, target, by_sender(**changes))["by_sender_v1"]
    assert outcome.status is Status.FAILED
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(outcome.error)
    assert made(harness, target) == set()


@pytest.mark.parametrize(
    "foreign",
    [
        "create table packets_by_sender (id integer primary key, sender, at)",
        "create view packets_by_sender as select 1",
        "create index packets_by_sender_order on packets (note)",
        "create table PACKETS_BY_SENDER_replaced (x)",
        "create trigger packets_by_sender_inserted after insert on packets begin select 1; end",
    ],
)
def test_objects_of_its_names_with_other_text_are_refused_and_left_alone(harness: SqliteHarness, foreign: str) -> None:
    target = packets(harness, 5)
    harness.execute(target, foreign)
    before = harness.rows(target, "select name, sql from sqlite_master where name like 'packets%'")
    outcome = go(harness, target, by_sender())["by_sender_v1"]
    assert outcome.status is Status.FAILED
    assert "already" in (outcome.error or "")
    assert "give another index_table" in (outcome.error or "")
    # what may be somebody's own table is not to be dropped for our sake; a trigger of these names may be an old one
    assert ("drop trigger if exists" in (outcome.error or "")) == foreign.startswith("create trigger")
    assert harness.rows(target, "select name, sql from sqlite_master where name like 'packets%'") == before


def test_a_definition_that_makes_no_sense_is_refused_at_once() -> None:
    for changes, sentence in (
        ({"columns": ()}, "one column each"),
        ({"columns": ("id",)}, "has an index already"),
        ({"columns": ("at", "AT")}, "named twice"),
        ({"index_table": "Packets"}, "two tables"),
        ({"index_table": "aux.x"}, "no dot"),
        ({"after": "by_sender_v1"}, "after itself"),
        ({"name": "1"}, "a name is"),
    ):
        with pytest.raises(DefinitionError, match=sentence):
            by_sender(**changes)


# -- what operators and others do to it


def interrupted(harness: SqliteHarness, target: str) -> None:
    """Stop it after its second slice or so."""
    stop = Stop()

    def step(what: str, sql: str) -> None:
        there = what == "committed" and "packets_by_sender" in made(harness, target)
        if there and harness.rows(target, "select count(*) > 30 from packets_by_sender") == [(1,)]:
            stop.set("test")

    assert go(harness, target, by_sender(), step=step, stop=stop)["by_sender_v1"].status is Status.INTERRUPTED


def test_cancelled_it_stays_current_and_a_retry_fills_the_rest(harness: SqliteHarness) -> None:
    target = packets(harness)
    interrupted(harness, target)
    assert suite.ask(harness, target, "by_sender_v1", "cancel") == "cancelled"
    harness.execute(target, "update packets set sender = 'later' where id = 2", "delete from packets where id = 398")
    entered = "select sender from packets_by_sender where id = 2"
    assert harness.rows(target, entered) == [("later",)]
    assert suite.ask(harness, target, "by_sender_v1", "retry") == "pending"
    assert go(harness, target, by_sender()).ok
    assert wrong(harness, target) == []


def test_dropped_by_its_own_statements_nothing_is_left_and_a_retry_makes_it_anew(harness: SqliteHarness) -> None:
    target = packets(harness)
    interrupted(harness, target)
    assert suite.ask(harness, target, "by_sender_v1", "cancel") == "cancelled"
    harness.execute(target, *by_sender().drop)
    assert made(harness, target) == set()
    harness.execute(target, "insert into packets (sender) values ('free')")
    assert suite.ask(harness, target, "by_sender_v1", "retry") == "pending"
    outcome = go(harness, target, by_sender())["by_sender_v1"]
    assert (outcome.status, outcome.counts.examined) == (Status.DONE, 201)
    assert wrong(harness, target) == []


def test_a_trigger_that_was_dropped_meanwhile_is_noticed(harness: SqliteHarness) -> None:
    target = packets(harness)
    interrupted(harness, target)
    harness.execute(target, "drop trigger packets_by_sender_changed", "update packets set sender = 'unseen'")
    outcome = go(harness, target, by_sender())["by_sender_v1"]
    assert outcome.status is Status.FAILED
    assert "packets_by_sender_changed is not" in (outcome.error or "")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ("update packets_by_sender set at = 99 where id = 10", "rows without their entry, with the keys 10;"),
        ("delete from packets_by_sender where id = 10", "rows without their entry, with the keys 10;"),
        ("update packets_by_sender set sender = upper(sender) where id = 2", "rows without their entry"),
        (
            "insert into packets_by_sender (id) values (11), (4001)",
            "entries without their row, with the keys 11, 4001;",
        ),
    ],
    ids=["wrong_value", "missing", "other_case", "orphans"],
)
def test_what_was_spoiled_behind_its_back_fails_it_and_a_retry_repairs_it(
    harness: SqliteHarness, spoil: str, sentence: str
) -> None:
    target, spoiled = packets(harness), list[int]()
    harness.execute(target, "update packets set sender = lower(sender)")

    def step(what: str, sql: str) -> None:
        if what == "committed" and not spoiled and "verifying" in statuses(harness, target):
            spoiled.append(1)
            harness.execute(target, spoil)

    outcome = go(harness, target, by_sender(), step=step)["by_sender_v1"]
    assert outcome.status is Status.FAILED
    assert sentence in (outcome.error or "")
    assert suite.ask(harness, target, "by_sender_v1", "retry") == "pending"
    assert go(harness, target, by_sender()).ok
    assert wrong(harness, target) == []


def test_another_definition_under_the_name_is_refused_until_the_old_one_is_dropped(harness: SqliteHarness) -> None:
    target = packets(harness)
    interrupted(harness, target)
    other = by_sender(columns=("at",))
    assert "definition changed" in (go(harness, target, other)["by_sender_v1"].error or "")
    assert suite.ask(harness, target, "by_sender_v1", "retry") == "pending"
    assert "its text is not what" in (go(harness, target, other)["by_sender_v1"].error or "")
    harness.execute(target, *other.drop)
    assert suite.ask(harness, target, "by_sender_v1", "retry") == "pending"
    assert go(harness, target, other).ok
    assert harness.rows(target, "select count(*) from packets_by_sender") == [(200,)]


def test_a_failed_one_stops_only_what_comes_after_it(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=20)
    report = go(harness, target, by_sender(), newest(after=("by_sender_v1",)), count_up())
    assert [report[n].status for n in ("by_sender_v1", "newest", "count_up")] == [
        Status.FAILED,
        Status.PENDING,
        Status.DONE,
    ]


def test_a_path_is_enough(tmp_path: Any) -> None:
    path = str(tmp_path / "mesh.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table t (id integer primary key, a)")
        connection.execute("insert into t (a) values (1), (null)")
    report = inchworm.run(path, [IndexTable(name="m", table="t", columns="a", index_table="t_by_a")])
    assert report.ok


def test_it_can_be_checked_again_long_after_it_was_done(harness: SqliteHarness) -> None:
    target = packets(harness)

    def problem() -> str | None:
        (found,) = recheck(target, [by_sender()])
        assert found.checked
        return found.problem

    assert problem() == "there is no packets_by_sender"
    assert go(harness, target, by_sender()).ok
    assert problem() is None
    harness.execute(target, "insert into packets_by_sender (id) values (4001)")
    assert "entries without their row, with the keys 4001;" in str(problem())
    assert "under another name (drop trigger if exists" in str(problem())
    harness.execute(target, "delete from packets_by_sender")
    assert "rows without their entry, with the keys 2, 4, 6, 8, 10;" in str(problem())
    harness.execute(target, "create unique index packets_later on packets (note, id)")
    assert "its text is not what this definition would make" in str(problem())


def test_the_example_of_the_page_runs_and_its_plans_are_what_it_shows(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "inchworm-in-your-application.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (example,) = (block for block in blocks if "IndexTable(" in block)
    (shown,) = (block for block in blocks if "SEARCH" in block)
    (removal,) = (block for block in blocks if "by_tx.drop" in block)
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("mesh.db")) as db, db:
        db.execute("create table transmissions (id integer primary key, last_seen integer not null default 0)")
        db.execute(
            "create table observations (id integer primary key, transmission_id integer, timestamp integer, snr)"
        )
        db.execute("insert into transmissions (id) values (1), (2), (3)")
        db.execute("insert into observations (transmission_id, timestamp) values (1, 10), (1, 30), (3, 20)")
    names: dict[str, Any] = {}
    exec(compile(example, "page", "exec"), names)
    with closing(sqlite3.connect("mesh.db")) as db:
        assert db.execute("select last_seen from transmissions order by id").fetchall() == [(30,), (0,), (20,)]
        for part in shown.strip().split("\n\n"):
            lines = part.splitlines()
            sql = " ".join(line for line in lines if not line.startswith("  "))
            plan = [row[3] for row in db.execute("explain query plan " + sql)]
            assert plan == [line.strip() for line in lines if line.startswith("  ")]
        exec(compile(removal, "page", "exec"), {"migrations": [names["last_seen"], names["by_tx"]]})
        assert db.execute("select name from sqlite_master where name like 'observations_by%'").fetchall() == []


# -- what plan says


def sentences(plan: MigrationPlan) -> str:
    return " | ".join(f"{f.severity}: {f.sentence}; {f.todo}" for f in plan.findings)


def test_plan_says_what_it_will_make_and_what_that_costs_or_why_it_would_be_refused(harness: SqliteHarness) -> None:
    target = packets(harness)
    (plan,) = plan_migrations(target, [by_sender()], driver=harness.library).migrations
    assert not plan.refused
    assert "8 triggers on packets" in sentences(plan)
    assert "packets_by_sender, which your queries must name; filling it for 200 rows takes about" in sentences(plan)
    assert made(harness, target) == set()
    (plan,) = plan_migrations(target, [by_sender(columns="nowhere")], driver=harness.library).migrations
    assert plan.refused
    assert "no column nowhere" in sentences(plan)
    interrupted(harness, target)
    (plan,) = plan_migrations(target, [by_sender()], driver=harness.library).migrations
    assert "goes on filling" in sentences(plan)
    harness.execute(target, "drop trigger packets_by_sender_moved")
    (plan,) = plan_migrations(target, [by_sender()], driver=harness.library).migrations
    assert plan.refused


def test_plan_of_a_backfill_that_reads_it_waits_for_it(harness: SqliteHarness) -> None:
    target = packets(harness)
    after = newest(after=("by_sender_v1",), compute="select id, max(at) as newest from packets_by_sender where "
                   "id between :first and :last")  # fmt: skip
    plans = plan_migrations(target, [by_sender(), after], driver=harness.library).migrations
    assert "waits for the index table packets_by_sender" in sentences(plans[1])


def test_plan_of_an_index_build_estimates_how_long_the_lock_is_held_and_names_the_way_around(
    harness: SqliteHarness,
) -> None:
    target = packets(harness)
    build = IndexBuild(name="i", create="create index i on packets (at)", lock_s=1e-6)
    (plan,) = plan_migrations(target, [build], driver=harness.library).migrations
    assert "holds the write lock for about" in sentences(plan)
    assert "make an IndexTable" in sentences(plan)
