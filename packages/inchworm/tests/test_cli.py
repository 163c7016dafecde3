"""The command line as a user calls it: sentences instead of tracebacks, exit codes, signals, JSON."""

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from databases import writing

from inchworm.cli import tables
from inchworm.cli.exits import Exit
from inchworm.cli.root import inchworm as command
from inchworm.findings import Finding, Severity
from inchworm.report import Report
from inchworm.sqlite import examination
from inchworm.status import read_status

GOOD = """
import inchworm
GOOD = inchworm.Backfill(
    name="good", table="t",
    compute="select id, a + 1 as b from t where id between :first and :last",
    apply="update t set b = :b where id = :id and b is null", guard="monotone",
    verify="select id from t where id between :first and :last and b is not a + 1",
)
ALL = [GOOD, inchworm.IndexBuild(name="by_b", create="create index t_b on t(b)", after=("good",))]
def later():
    return ALL
NOTHING = []
NUMBER = 3
TWICE = [GOOD, GOOD]
def raising():
    return 1 // 0
BROKEN = inchworm.Backfill(name="broken", table="t", update="update t set nope = 1 where id between :first and :last")
"""


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with 1,000 rows, in the current directory, which holds the module `moves`."""
    path = tmp_path / "mesh.db"
    with writing(path) as connection:
        connection.execute("create table t (id integer primary key, a integer, b integer)")
        connection.executemany("insert into t (a) values (?)", ((n,) for n in range(1000)))
    (tmp_path / "moves.py").write_text(GOOD)
    (tmp_path / "typo.py").write_text("import does_not_exist_at_all\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "moves", raising=False)
    return str(path)


Call = Callable[..., Result]


@pytest.fixture
def call(db: str) -> Call:
    def calling(*words: str) -> Result:
        name, *rest = words
        result = CliRunner().invoke(command, [name, "--db", db, *rest])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return calling


def test_run_changes_every_row_and_says_so(call: Call, db: str) -> None:
    result = call("run", "moves:ALL")
    assert result.exit_code == Exit.OK, result.output
    assert "1,000" in result.output
    with writing(db) as connection:
        assert connection.execute("select count(*) from t where b = a + 1").fetchone() == (1000,)


def test_run_may_be_repeated_and_does_nothing_the_second_time(call: Call) -> None:
    call("run", "moves:ALL")
    result = call("run", "--json", "moves:later")
    report = json.loads(result.stdout)
    assert report["ok"] is True
    assert report["turns"] == 0


def test_run_exits_with_one_and_a_sentence_when_a_migration_fails(call: Call) -> None:
    result = call("run", "--no-plan", "moves:BROKEN")
    assert result.exit_code == Exit.FAILED
    assert "no such column" in result.output
    assert "Traceback" not in result.output


def test_run_returns_unfinished_when_a_migration_is_paused_and_nobody_waits(call: Call, db: str) -> None:
    assert call("run", "moves:GOOD").exit_code == Exit.OK
    with writing(db) as connection:
        connection.execute("update _async_migrations set status = 'interrupted', cursor = null")
    assert call("pause", "good", "--by", "ann").output == "good: paused\n"
    result = call("run", "--no-wait", "moves:GOOD")
    assert result.exit_code == Exit.UNFINISHED
    assert "paused by ann" in result.output


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("moves", "is not MODULE:ATTRIBUTE"),
        ("./moves:ALL", "is not MODULE:ATTRIBUTE"),
        ("moves:MISSING", "moves has no MISSING (it has ALL, BROKEN, GOOD, TWICE)"),
        ("moves.py:ALL", "; write the module, moves:…"),
        ("moves:raising", "moves:raising() failed: ZeroDivisionError: integer division or modulo by zero ("),
        ("moves:TWICE", "defined more than once: good"),
        ("nowhere:ALL", "cannot import nowhere"),
        ("typo:ALL", "No module named 'does_not_exist_at_all'"),
        ("moves:NOTHING", "holds no migration"),
        ("moves:NUMBER", "holds int where a Backfill"),
    ],
)
@pytest.mark.parametrize("command_name", ["run", "plan", "verify", "status"])
def test_a_wrong_module_or_attribute_is_one_sentence(call: Call, where: str, sentence: str, command_name: str) -> None:
    result = call(command_name, where)
    assert result.exit_code == Exit.USAGE
    assert sentence in result.stderr


def test_a_missing_file_is_one_sentence_and_exit_five(db: str) -> None:
    result = CliRunner().invoke(command, ["status", "--db", db + "-not"])
    assert result.exit_code == Exit.DATABASE
    assert "there is no database at" in result.stderr


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("this is no database at all, but quite some text " * 50)
    result = CliRunner().invoke(command, ["status", "--db", str(path)])
    assert result.exit_code == Exit.DATABASE
    assert "not a database" in result.stderr


def test_status_of_a_database_without_a_ledger_says_that_nothing_was_run(call: Call) -> None:
    assert call("status").output == "no migration has been run in this database\n"
    assert json.loads(call("status", "--json").stdout) == []


def test_status_json_has_every_key_and_null_where_nothing_is_known(call: Call) -> None:
    call("run", "moves:ALL")
    first = {row["name"]: row for row in json.loads(call("status", "--json").stdout)}["good"]
    assert first["status"] == "done"
    assert (first["rowsProcessed"], first["rowsTotal"], first["quarantined"]) == (1000, 1000, 0)
    assert first["etaSeconds"] is None
    assert first["startedAt"].endswith("Z")


def test_json_has_no_more_digits_than_were_measured(call: Call) -> None:
    assert re.search(r"\d\.\d{4}", call("run", "--no-plan", "--json", "moves:ALL").stdout) is None
    assert re.search(r"\d\.\d{4}", call("status", "--json").stdout) is None


def test_status_parks_a_name_that_the_code_does_not_define(call: Call, db: str) -> None:
    call("run", "moves:ALL")
    with writing(db) as connection:
        connection.execute("update _async_migrations set status = 'interrupted' where name = 'by_b'")
    found = {row["name"]: row["status"] for row in json.loads(call("status", "--json", "moves:GOOD").stdout)}
    assert found == {"good": "done", "by_b": "parked"}


def test_watching_ends_when_everything_has_ended(call: Call) -> None:
    call("run", "moves:ALL")
    assert call("status", "--watch").exit_code == Exit.OK
    assert len(call("status", "--watch", "--json").stdout.splitlines()) == 1


def test_status_exits_with_one_until_a_failure_is_acknowledged(call: Call) -> None:
    call("run", "--no-plan", "moves:BROKEN")
    assert call("status").exit_code == Exit.FAILED
    assert call("acknowledge", "broken").output == "broken: acknowledged\n"
    result = call("status")
    assert result.exit_code == Exit.OK
    assert "acknowledged by" in " ".join(result.output.split())


def test_a_verb_that_does_not_fit_says_which_would(call: Call) -> None:
    call("run", "--no-plan", "moves:BROKEN")
    result = call("pause", "broken")
    assert result.exit_code == Exit.REFUSED
    assert "cancel" in result.stderr
    assert "retry" in result.stderr


def test_a_verb_for_an_unknown_name_is_refused(call: Call) -> None:
    call("run", "moves:GOOD")
    result = call("cancel", "no_such")
    assert result.exit_code == Exit.REFUSED
    assert result.stderr == "inchworm: no_such: no such migration (there are: good)\n"


def test_a_verb_before_the_first_run_is_refused_with_a_sentence(call: Call) -> None:
    result = call("pause", "good")
    assert result.exit_code == Exit.REFUSED
    assert "none has been run in this database" in result.stderr


def test_a_verb_leaves_a_newer_ledger_alone(call: Call, db: str) -> None:
    call("run", "moves:GOOD")
    with writing(db) as connection:
        connection.execute("update _async_ledger set version = 99")
    result = call("retry", "good")
    assert result.exit_code == Exit.DATABASE
    assert "upgrade inchworm" in result.stderr


def test_plan_and_doctor_say_that_the_ledger_is_newer_as_run_does(call: Call, db: str) -> None:
    call("run", "moves:GOOD")
    with writing(db) as connection:
        connection.execute("update _async_ledger set version = 99")
    newer = "the ledger has version 99, this inchworm knows up to 1; upgrade inchworm in this process"
    plan = call("plan", "moves:ALL")
    assert plan.exit_code == Exit.REFUSED
    assert plan.stdout == f"good: refused\n    error: {newer}\nby_b: refused\n    error: {newer}\n"
    for words in ((), ("moves:ALL",)):
        doctor = call("doctor", *words)
        assert doctor.exit_code == Exit.FAILED
        assert doctor.stdout.count(f"error: ledger: {newer}\n") == 1
        assert doctor.stdout.count("version 99") == 1, "not again for each migration"
    run = call("run", "moves:ALL")
    assert run.exit_code == Exit.DATABASE
    assert newer in run.stderr
    assert call("run", "--no-plan", "moves:ALL").exit_code == Exit.DATABASE


def test_cancel_then_retry_lets_it_go_on(call: Call, db: str) -> None:
    call("run", "--no-plan", "moves:BROKEN")
    assert call("cancel", "broken").output == "broken: cancelled\n"
    assert call("retry", "broken").output.startswith("broken: pending; a runner takes it up")


def test_verify_holds_after_a_run_and_names_a_row_that_drifted(call: Call, db: str) -> None:
    call("run", "moves:ALL")
    result = call("verify", "moves:ALL")
    assert result.exit_code == Exit.OK
    assert "good: holds" in result.output
    assert "by_b: has no verify statement" in result.output
    with writing(db) as connection:
        connection.execute("update t set b = -1 where id = 77")
    result = call("verify", "--json", "moves:GOOD")
    assert result.exit_code == Exit.FAILED
    assert "77" in json.loads(result.stdout)[0]["problem"]


def test_status_in_a_pipe_cuts_nothing_off_and_says_what_to_do(call: Call) -> None:
    call("run", "--no-plan", "moves:BROKEN")
    call("run", "moves:GOOD")
    lines = call("status").stdout.splitlines()
    assert lines[0].split() == ["migration", "status", "done", "rows", "rows/s", "left"]
    assert lines[1].split()[:2] == ["broken", "failed"]
    assert "no such column: " in lines[2]
    assert lines[3] == "    when its cause is mended: inchworm retry broken, then run again"
    assert lines[4].split()[:7] == ["good", "done", "100", "%", "1,000", "of", "1,000"]
    assert lines[0].index("rows/s") + len("rows/s") == lines[4].index(lines[4].split()[-1]) + len(lines[4].split()[-1])


def test_a_narrow_terminal_gets_a_block_per_migration_and_every_word(call: Call, db: str) -> None:
    call("run", "--no-plan", "moves:BROKEN")
    found = read_status(db)
    assert tables.status_lines(found, 40)[0] == "broken: failed, 0 of 1,000 rows (0 %)"
    assert tables.status_lines(found, 40)[1:] == tables.status_lines(found, None)[2:]


def test_nothing_that_was_done_before_is_told_as_new(call: Call) -> None:
    call("run", "moves:ALL")
    assert call("run", "moves:ALL").output.splitlines() == [
        "good: was done before; nothing is left to do",
        "by_b: was done before; nothing is left to do",
    ]


def test_a_migration_that_waits_has_a_reason_and_no_forecast_beside_it(call: Call) -> None:
    Path("waits.py").write_text(GOOD.replace('name="good"', 'name="late", after="never"'))
    result = call("run", "waits:GOOD")
    assert result.exit_code == Exit.UNFINISHED
    assert result.stdout == "late: pending\n    waits for never, which no code has defined here\n"


def test_a_turn_past_the_budget_is_admitted(call: Call) -> None:
    report = Report((), turns=7, longest_hold_s=0.14)
    assert tables.report_lines(report, budget_ms=50) == [
        "7 write turns, the longest 140 ms, past the stall budget of 50 ms: a slow disk or a busy processor cannot be "
        "interrupted"
    ]


def test_a_remedy_that_two_findings_share_is_told_once() -> None:
    both = [Finding(Severity.NOTE, "good", what, "create index i") for what in ("compute is slow", "verify is slow")]
    assert tables.findings_lines(both, about="good") == [
        "note: compute is slow",
        "note: verify is slow",
        "    create index i",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0, "0 ms"),
        (0.042, "42 ms"),
        (0.0996, "0.1 s"),
        (9.96, "10 s"),
        (59.7, "1 min 0 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_have_a_unit_that_fits(seconds: float | None, text: str) -> None:
    assert tables.duration(seconds) == text


def test_watching_in_a_pipe_tells_each_change_on_a_line(call: Call) -> None:
    assert call("status", "--watch").stdout == "no migration has been run in this database\n"
    call("run", "moves:GOOD")
    assert call("status", "--watch").stdout.startswith("good: done, 1,000 of 1,000 rows (100 %), ")


def test_a_stall_budget_of_zero_is_a_usage_error(call: Call) -> None:
    assert call("run", "--stall-budget-ms", "0", "moves:GOOD").exit_code == Exit.USAGE


def test_help_names_the_exit_codes() -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert "Exit codes" in result.output
    assert "128+n" in result.output


def test_without_the_cli_extra_there_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise ModuleNotFoundError(\"No module named 'click'\", name='click')\n")
    done = subprocess.run(
        [sys.executable, "-m", "inchworm", "status"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.USAGE
    assert "pip install 'inchworm[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


SLOW = """
import inchworm, sys
def slowly(rows):
    sys.stdout.write("working\\n"); sys.stdout.flush()
    sys.stdin.readline()
    return [{"id": r["id"], "b": 1} for r in rows]
SLOW = inchworm.Backfill(name="slow", table="t", transform=slowly, apply="update t set b = :b where id = :id",
                         guard="frozen")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_after_its_turn_and_keeps_the_cause(db: str, call: Call, number: signal.Signals) -> None:
    Path("slow_moves.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, "-m", "inchworm", "run", "--no-plan", "--db", db, "slow_moves:SLOW"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(number)
        process.stdin.write("\n" * 50)
        process.stdin.close()
        out, err = process.stdout.read(), process.stderr.read() if process.stderr else ""
    assert process.returncode == 128 + number, out + err
    assert "Traceback" not in err
    assert f"inchworm: {number.name}: stopping after the current turn; once more ends it at once" in err
    row = json.loads(call("status", "--json").stdout)[0]
    assert (row["status"], row["reason"]) == ("interrupted", f"interrupted: {number.name}")


def test_paused_over_a_restart_stays_paused(call: Call, db: str) -> None:
    call("run", "moves:GOOD")
    with writing(db) as connection:
        connection.execute("update _async_migrations set status = 'pending'")
    assert call("pause", "good").output == "good: paused\n"
    assert call("run", "--no-wait", "moves:GOOD").exit_code == Exit.UNFINISHED
    assert call("resume", "good").output.startswith("good: pending; a runner takes it up")
    assert call("run", "moves:GOOD").exit_code == Exit.OK


def test_plan_forecasts_and_changes_nothing(call: Call, db: str) -> None:
    result = call("plan", "--explain", "moves:GOOD")
    assert result.exit_code == Exit.OK, result.output
    assert "1,000 rows in about" in result.output
    assert "stall of another writer" in result.output
    assert "SEARCH t USING INTEGER PRIMARY KEY" in result.output
    assert call("status").output == "no migration has been run in this database\n"


def test_plan_refuses_what_run_would_refuse_for_its_changed_definition(call: Call, db: str) -> None:
    call("run", "moves:GOOD")
    with writing(db) as connection:
        connection.execute("update _async_migrations set status = 'interrupted', cursor = null")
    Path("changed.py").write_text(GOOD.replace("a + 1 as b from t", "a + 2 as b from t"))
    result = call("plan", "changed:GOOD")
    assert result.exit_code == Exit.REFUSED
    assert result.stdout.startswith("good: refused\n    error: its definition changed after it had begun; restore")
    assert call("run", "changed:GOOD").exit_code == Exit.REFUSED
    result = call("run", "--no-plan", "changed:GOOD")
    assert result.exit_code == Exit.FAILED
    assert "    its definition changed after it had begun; restore" in result.stdout
    call("retry", "good")
    assert call("plan", "changed:GOOD").exit_code == Exit.OK


@pytest.mark.parametrize(
    ("changed", "todo"),
    [
        ('table="nope"', "correct the definition"),
        ('table="t", key="nope"', "correct the definition"),
        ('table="t", key="a"', "choose a key that is unique and never NULL"),
    ],
)
def test_plan_names_the_remedy_that_fits(call: Call, changed: str, todo: str) -> None:
    Path("unfit.py").write_text(
        f"import inchworm\nONE = inchworm.Backfill(name='one', {changed},\n"
        f"    update='update t set b = 1 where a between :first and :last')\n"
    )
    sys.modules.pop("unfit", None)
    result = call("plan", "unfit:ONE")
    assert result.exit_code == Exit.REFUSED
    assert todo in result.stdout


def test_plan_json_has_intervals_and_samples(call: Call) -> None:
    plan = json.loads(call("plan", "--json", "moves:ALL").stdout)
    assert plan["refused"] == []
    first = plan["migrations"][0]
    assert set(first["forecast"]["seconds"]) == {"low", "likely", "high"}
    assert first["samples"]["read"][0]["small"]["rows"] == 32


def test_run_refuses_what_plan_refuses_and_says_how_to_run_it_anyway(call: Call) -> None:
    result = call("run", "moves:BROKEN")
    assert result.exit_code == Exit.REFUSED
    assert "no such column" in result.stderr
    assert "--no-plan" in result.stderr
    assert call("status").output == "no migration has been run in this database\n"
    assert call("plan", "moves:BROKEN").exit_code == Exit.REFUSED


def test_run_passes_on_what_plan_could_not_say(call: Call, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(db) as connection:
        connection.execute("delete from t")
    result = call("run", "moves:GOOD")
    assert result.exit_code == Exit.OK
    assert "note: good: the table is empty; nothing has to be done" in result.stderr


def test_run_shows_the_forecast_beside_what_happened(call: Call) -> None:
    result = call("run", "moves:GOOD")
    assert re.search(r"^    took \S+ s, forecast \S+ s \(.+\): ", result.stdout, re.MULTILINE)
    again = call("run", "moves:GOOD")
    assert again.output == "good: was done before; nothing is left to do\n"


def test_a_signal_while_planning_ends_with_the_signals_code(db: str) -> None:
    Path("slow_plan.py").write_text(
        "import inchworm, os, signal\n"
        "def ended(rows):\n    os.kill(os.getpid(), signal.SIGTERM)\n    return rows\n"
        "ENDED = inchworm.Backfill(name='ended', table='t', transform=ended, guard='frozen',\n"
        "                          apply='update t set b = :a where id = :id')\n"
    )
    for name in ("plan", "run"):
        done = subprocess.run(
            [sys.executable, "-m", "inchworm", name, "--db", db, "slow_plan:ENDED"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 128 + signal.SIGTERM, done.stdout + done.stderr
        assert "SIGTERM: stopping" in done.stderr


def test_doctor_has_sentences_json_and_an_exit_code(call: Call, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "BETWEEN_S", 0)
    result = call("doctor")
    assert result.exit_code == Exit.OK
    assert re.match(r".+: journal mode \w+, SQLite 3\.\S+ \(\w+\), [\d.]+ MB", result.stdout)
    assert json.loads(call("doctor", "--json", "moves:GOOD").stdout)["ok"] is True
    result = CliRunner().invoke(command, ["doctor", "--db", db + "-not"])
    assert result.exit_code == Exit.FAILED
    assert "error: " in result.output
    assert "there is no database" in result.output


def test_on_a_narrow_terminal_progress_keeps_the_name(call: Call, db: str) -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    done = subprocess.run(
        [sys.executable, "-m", "inchworm", "run", "--no-plan", "--db", db, "moves:GOOD"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**{k: v for k, v in os.environ.items() if k != "COLUMNS"}, "TERM": "xterm"},
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == Exit.OK
    assert "good: done, 1,000" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
