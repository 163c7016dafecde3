"""What a command that imports does when it is interrupted, and when another command's import was in its way."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from corescope_file import CoreScopeFile

from hopscope.app import importing
from hopscope.app.importing import ImportStopped, Look
from hopscope.app.stop import StopToken
from hopscope.cli.root import main
from hopscope.config.settings import Settings
from hopscope.store.lock import WriterLock
from meshwire import encode


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = CoreScopeFile(tmp_path / "meshcore.db")
    packet = file.transmission(encode.frame(1, 3, encode.ack(b"\1\2\3\4")), int(time.time()) - 60)
    file.observation(packet, file.observer("A1" * 32), int(time.time()) - 60, ["8A"])
    file.close()
    return file.path


def test_a_command_takes_the_place_of_another_command_that_ended_first(source: Path, tmp_path: Path) -> None:
    settings = Settings(database=str(tmp_path / "hopscope.db"))
    other = WriterLock.acquire(settings.database, "import")
    states: list[str] = []

    def on_look(look: Look) -> None:
        states.append(look.job.state)
        other.release()

    found = importing.bring(settings, source, StopToken(), on_look)
    assert (states[0], found.job.id, found.job.state) == ("requested", 1, "done")


def test_a_writer_that_is_gone_may_come_back_and_no_command_takes_its_place(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hopscope.app.importing.WRITER_GONE_S", 0.0)
    settings = Settings(database=str(tmp_path / "hopscope.db"))
    writer = WriterLock.acquire(settings.database)
    with pytest.raises(ImportStopped, match="no writer works any more; import 1 goes on with the next writer"):
        importing.bring(settings, source, StopToken(), lambda _: writer.release())


def test_an_interrupted_command_prints_how_the_import_stands_and_why(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOPSCOPE_DATABASE", str(tmp_path / "hopscope.db"))
    monkeypatch.setattr("hopscope.cli.importing.stop_on_signals", lambda stop: stop.set("SIGTERM"))
    with WriterLock.acquire(str(tmp_path / "hopscope.db")):
        ended = CliRunner().invoke(main, ["import", "--json", str(source)])
    answer = json.loads(ended.stdout)
    why = "stopped (SIGTERM); the writer goes on with import 1"
    assert (ended.exit_code, answer["state"], answer["stopped"]) == (1, "requested", why)
    assert ended.stderr == f"hopscope: {why}\n"
