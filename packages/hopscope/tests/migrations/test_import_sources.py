"""Files that are damaged, locked, or left half written: each is refused by its cause, and no other import waits."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner
from corescope_file import CoreScopeFile
from import_rig import Importing

from hopscope.cli.root import main
from hopscope.migrations import report
from hopscope.migrations.corescope_values import Refusal
from hopscope.store import connection, corescope, ledger, schema
from hopscope.store.lock import WriterLock
from meshwire import encode

ACK = encode.frame(1, 3, encode.ack(b"\1\0\0\0"))
PAGE = 4096
CHANGE_AND_DIE = """
import apsw, os, signal, sys
db = apsw.Connection(sys.argv[1])
db.pragma("cache_size", 5)  # so that pages are written before the commit
db.execute("begin; update observations set timestamp = 5")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def good(source: CoreScopeFile) -> Path:
    """A file of many pages that nobody has open, in the rollback mode."""
    observer = source.observer("A1" * 32)
    packet = source.transmission(ACK, "2026-05-17T06:40:00Z")
    with source.db:
        for number in range(3_000):
            source.observation(packet, observer, 1_779_000_000 + number * 60, [f"{number:04X}"])
    source.db.pragma("journal_mode", "delete")
    source.close()
    return source.path


def damaged(path: Path, keep: int) -> Path:
    """A copy whose pages behind the first `keep` are overwritten."""
    copy = path.with_name("damaged.db")
    whole = path.read_bytes()
    copy.write_bytes(whole[: keep * PAGE] + b"\xff" * (len(whole) - keep * PAGE))
    return copy


def spoilt_inside(path: Path, fill: bytes) -> Path:
    """A copy in which the rows of one page of a table, in the middle, are overwritten: their number can be read."""
    whole = bytearray(path.read_bytes())
    leaves = [at for at in range(PAGE, len(whole), PAGE) if whole[at] == 0x0D]  # https://sqlite.org/fileformat2.html
    page = leaves[len(leaves) // 2]
    pointers = page + 8 + 2 * int.from_bytes(whole[page + 3 : page + 5], "big")
    whole[pointers : page + PAGE] = fill * (page + PAGE - pointers)
    copy = path.with_name("spoilt.db")
    copy.write_bytes(whole)
    return copy


def cut_off(path: Path) -> Path:
    """A copy that another program was changing when it was killed: the old pages are in its journal."""
    copy = path.with_name("cut.db")
    shutil.copyfile(path, copy)
    ended = subprocess.run([sys.executable, "-c", CHANGE_AND_DIE, str(copy)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.with_name("cut.db-journal").stat().st_size > PAGE
    return copy


def test_a_damaged_file_is_refused_and_the_next_one_is_imported(good: Path, bring: Importing) -> None:
    found = bring(damaged(good, keep=1))
    assert (found.state, found.error) == (
        "refused",
        f"{good.with_name('damaged.db')} is damaged: database disk image is malformed",
    )
    assert bring(good).state == "done"


def test_a_file_whose_last_transaction_was_cut_off_is_refused_with_the_way_out(good: Path, bring: Importing) -> None:
    """Without its journal it holds half of a transaction; nobody ever committed that."""
    found = bring(cut_off(good))
    assert found.state == "refused"
    assert "cut.db-journal" in (found.error or "")
    assert "was cut off" in (found.error or "")


def test_a_file_that_another_program_keeps_locked_is_refused_by_that_name(
    good: Path, bring: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hopscope.store.corescope.BUSY_TIMEOUT_MS", 1)
    holder = apsw.Connection(str(good))
    holder.execute("begin exclusive")
    assert bring(good).error == f"{good} is kept locked by another program: database is locked"
    holder.close()
    assert bring(good).state == "done"


@pytest.mark.parametrize("spoilt", [lambda path: damaged(path, keep=1), cut_off])
def test_a_check_of_such_a_file_ends_with_one_sentence(
    spoilt: Callable[[Path], Path], good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOPSCOPE_DATABASE", str(tmp_path / "check" / "hopscope.db"))
    ended = CliRunner().invoke(main, ["upgrade-check", str(spoilt(good))])
    assert ended.exit_code == 1
    assert ended.output.startswith("hopscope: ")
    assert len(ended.output.splitlines()) == 1


def test_a_database_of_our_own_is_called_that(tmp_path: Path, bring: Importing) -> None:
    db = connection.open_writer(str(tmp_path / "ours.db"))
    schema.prepare(db)
    db.close()
    assert bring(tmp_path / "ours.db").error == "this is a hopscope database; there is nothing to import from it"


def test_what_a_file_lacks_is_named(tmp_path: Path, bring: Importing) -> None:
    other = apsw.Connection(str(tmp_path / "other.db"))
    other.execute("create table transmissions (id integer primary key, raw_hex text)")
    assert bring(tmp_path / "other.db").error == "this is no CoreScope database: it has no table observations"
    other.execute("create table observations (id integer primary key)")
    other.close()
    assert bring(tmp_path / "other.db").error == (
        "this is no CoreScope database: its table observations lacks timestamp, transmission_id"
    )
    (tmp_path / "nothing.db").touch()
    assert bring(tmp_path / "nothing.db").error == "this is no CoreScope database: it has no table transmissions"


def test_a_refused_file_is_told_by_one_sentence_and_no_empty_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOPSCOPE_DATABASE", str(tmp_path / "hopscope.db"))
    (tmp_path / "nothing.db").touch()
    ended = CliRunner().invoke(main, ["import", str(tmp_path / "nothing.db")])
    why = "this is no CoreScope database: it has no table transmissions"
    assert ended.exit_code == 1
    assert (ended.stdout, ended.stderr) == ("", f"hopscope: import 1 of {tmp_path / 'nothing.db'}: refused ({why})\n")


def test_a_request_says_who_takes_it_up(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPSCOPE_DATABASE", str(tmp_path / "hopscope.db"))
    ended = CliRunner().invoke(main, ["import", "--no-wait", str(good)])
    assert ended.stdout == "import 1 is asked for; no writer runs now, the next one takes it up\n"
    with WriterLock.acquire(str(tmp_path / "hopscope.db")):
        ended = CliRunner().invoke(main, ["import", "--no-wait", str(good)])
    assert ended.stdout == "import 1 is asked for; the running writer takes it up\n"


def test_every_reason_of_the_quarantine_is_said_in_words(source: CoreScopeFile, bring: Importing) -> None:
    assert set(report.EXPLAINED) == set(Refusal)
    source.transmission("zz", "2026-05-17T06:40:00Z")
    assert "not_hex: its raw_hex is not whole bytes in hex" in report.as_text(bring(source.path))


def test_rows_that_damage_hides_are_not_called_vanished(good: Path, bring: Importing, store: apsw.Connection) -> None:
    found = bring(spoilt_inside(good, b"\xff"))
    hidden = 3_000 - next(table.read for table in found.tables if table.name == "observations")
    assert hidden > 0
    assert found.error == (
        f"{hidden} rows of observations are in {good.with_name('spoilt.db')} and could not be read: it is damaged"
    )
    assert not report.accounted_for(found, ledger.rows(store))
    assert sum(table.imported + table.merged for table in bring(good).tables if table.name == "observations") == 3_000
    assert store.execute("select count(*) from observations").get == 3_000


def test_a_failure_says_what_is_wrong_with_the_file_meanwhile(
    good: Path, bring: Importing, store: apsw.Connection
) -> None:
    """The engine's error alone could as well be of the store."""
    store.execute("create trigger no before insert on observations begin select raise(abort, 'is malformed'); end")
    path = spoilt_inside(good, b"\xff")
    found = bring(path)
    assert found.state == "failed"
    assert f"is malformed (ConstraintError); {path} is damaged: " in (found.error or "")


def test_a_failure_that_is_not_the_files_says_nothing_of_it(
    good: Path, bring: Importing, store: apsw.Connection
) -> None:
    store.execute("create trigger no before insert on observations begin select raise(abort, 'is malformed'); end")
    assert (bring(good).error or "").endswith("is malformed (ConstraintError)")


def test_what_is_wrong_with_a_file_is_found_whatever_it_is(good: Path) -> None:
    assert corescope.trouble(str(good), thorough=True) is None
    assert "was cut off" in (corescope.trouble(str(cut_off(good)), thorough=False) or "")
    assert corescope.trouble(str(good) + "x", thorough=False) == f"there is no file {good}x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize(("command", "code"), [("import", 78), ("upgrade-check", 1)])
def test_a_place_that_cannot_be_written_is_said(
    command: str, code: int, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    _place_is_said(command, code, good, tmp_path / "closed" / "hopscope.db", monkeypatch)


@pytest.mark.parametrize(("command", "code"), [("import", 78), ("upgrade-check", 1)])
def test_a_place_below_a_file_is_said(
    command: str, code: int, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    _place_is_said(command, code, good, tmp_path / "file" / "hopscope.db", monkeypatch)


def _place_is_said(command: str, code: int, good: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPSCOPE_DATABASE", str(place))
    ended = CliRunner().invoke(main, [command, str(good)])
    assert ended.exit_code == code
    assert ended.output.startswith("hopscope: ")
    assert str(place) in ended.output
