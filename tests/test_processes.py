"""serve, ingest, api and demo as a user runs them: start, stop in order, crash, kill -9, and what is refused."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from brokers import free_port

PATIENCE_S = 40.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other processes do."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Command:
    """A running `hopscope …`, with all that it and its children print in one file."""

    def __init__(self, directory: Path, *arguments: str, **env: str) -> None:
        self.port = int(env["HOPSCOPE_LISTEN"].rpartition(":")[2]) if "HOPSCOPE_LISTEN" in env else free_port()
        self._output = directory / f"output-{self.port}-{arguments[0]}.txt"
        surroundings = {**os.environ, "HOPSCOPE_LISTEN": f"127.0.0.1:{self.port}", **env}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "hopscope", *arguments],
                cwd=directory,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def pids(self, name: str) -> list[int]:
        """Process ids of the children of this name, in the order in which they were started."""
        return [int(pid) for pid in re.findall(rf'child\.started name="{name}" process=(\d+)', self.output)]

    def get(self, path: str) -> tuple[int, Any]:
        """(status, JSON) of a request; status 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, json.loads(answer.read() or b"null")
        except OSError:
            return 0, None

    def ready(self) -> bool:
        return self.get("/api/healthz")[0] == 200

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Start commands in one directory; whatever a test leaves running is killed."""
    commands: list[Command] = []

    def command(*arguments: str, **env: str) -> Command:
        commands.append(Command(tmp_path, *arguments, **env))
        return commands[-1]

    yield command
    for left in commands:
        for pid in (*left.pids("ingest"), *left.pids("api")):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        left.process.kill()
        left.process.wait()


Start = Callable[..., Command]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_writer_and_then_the_api(start: Start, tmp_path: Path, how: signal.Signals) -> None:
    serve = start("serve")
    until(serve.ready)
    pids = serve.pids("ingest") + serve.pids("api")
    assert serve.stop(how) == 0
    assert not any(alive(pid) for pid in pids)
    order = re.findall(r'child\.stopped name="(\w+)" how="exit code 0"', serve.output)
    assert order == ["ingest", "api"]
    assert f'serve.stopping reason="{how.name}"' in serve.output
    assert (tmp_path / "data" / "hopscope.db").exists()
    assert "Traceback" not in serve.output


def test_nothing_outlives_a_parent_that_was_killed(start: Start) -> None:
    serve = start("serve")
    until(serve.ready)
    pids = serve.pids("ingest") + serve.pids("api")
    assert all(alive(pid) for pid in pids)
    serve.process.kill()
    serve.process.wait()
    until(lambda: not any(alive(pid) for pid in pids))
    again = start("serve", HOPSCOPE_LISTEN=f"127.0.0.1:{serve.port}")
    until(again.ready)
    assert again.stop() == 0


def test_a_killed_child_comes_back_and_the_other_goes_on(start: Start) -> None:
    serve = start("serve")
    until(serve.ready)
    (ingest,), (api,) = serve.pids("ingest"), serve.pids("api")
    os.kill(ingest, signal.SIGKILL)
    until(lambda: len(serve.pids("ingest")) == 2)
    assert serve.get("/livez")[0] == 200
    assert alive(api)
    os.kill(api, signal.SIGKILL)
    until(lambda: len(serve.pids("api")) == 2 and serve.ready())
    assert 'child.ended name="api" how="killed by signal 9"' in serve.output
    assert serve.stop() == 0


def writer_state(command: Command) -> Any:
    return (command.get("/api/healthz")[1] or {}).get("writer", {}).get("state")


def test_the_api_says_within_seconds_that_the_writer_is_gone_and_that_it_is_back(start: Start) -> None:
    api, ingest = start("api"), start("ingest")
    until(lambda: writer_state(api) == "collecting")
    ingest.process.send_signal(signal.SIGSTOP)  # as busy as a process can be
    for _ in range(3):
        time.sleep(1.1)  # longer than an answer is kept, so that each is a new look
        assert writer_state(api) == "collecting"
    killed_ms = time.time() * 1000
    ingest.process.kill()
    ingest.process.wait()
    deadline = time.monotonic() + 10
    while writer_state(api) != "stopped":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    said = api.get("/api/healthz")[1]
    stopped_ms = datetime.fromisoformat(said["writer"]["stoppedAt"]).timestamp() * 1000
    assert 0 <= stopped_ms - killed_ms < 10_000
    assert said["ready"] is True
    assert api.get("/readyz")[0] == 200
    again = start("ingest")
    until(lambda: writer_state(api) == "collecting")
    assert again.stop() == 0
    until(lambda: writer_state(api) == "stopped")


def test_a_port_in_use_is_one_message(start: Start, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name in ("serve", "api", "demo"):
            command = start(name, HOPSCOPE_LISTEN=f"127.0.0.1:{port}")
            assert command.process.wait(PATIENCE_S) == 78
            assert f"127.0.0.1:{port} is in use by another program" in command.output
            assert "Traceback" not in command.output
    assert not (tmp_path / "data").exists(), "nothing was started"


def test_a_second_writer_is_refused_and_ends_serve(start: Start) -> None:
    first = start("serve")
    until(first.ready)
    second = start("serve")
    assert second.process.wait(PATIENCE_S) == 78
    assert "another hopscope writes" in second.output
    assert "Traceback" not in second.output
    assert first.ready()
    assert first.stop() == 0


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("create table transmissions (id integer primary key)")
    db.close()


def newer(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("create table meta (key text primary key, value text not null)")
        db.execute("insert into meta values ('schema_version', '999')")
    db.close()


def no_database(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


@pytest.mark.parametrize(
    ("make", "words"),
    [(foreign, "another program's database"), (newer, "install a newer hopscope"), (no_database, "not a database")],
)
def test_a_database_that_is_not_ours_ends_serve(
    start: Start, tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "x.db"
    make(path)
    before = path.read_bytes()
    serve = start("serve", HOPSCOPE_DATABASE=str(path))
    assert serve.process.wait(PATIENCE_S) == 78
    assert words in serve.output
    assert "Traceback" not in serve.output
    assert path.read_bytes()[100:] == before[100:], "beyond the header, which says the journal's mode, nothing changed"


def test_every_problem_of_the_configuration_is_told_before_anything_starts(start: Start) -> None:
    serve = start("serve", HOPSCOPE_API_KEY="changeme", HOPSCOPE_RETENTION_DAYS="x")
    assert serve.process.wait(PATIENCE_S) == 78
    assert "HOPSCOPE_API_KEY" in serve.output
    assert "HOPSCOPE_RETENTION_DAYS" in serve.output
    assert "changeme" not in serve.output
    assert "Traceback" not in serve.output


def test_the_api_may_be_started_first(start: Start, tmp_path: Path) -> None:
    api = start("api")
    until(lambda: api.get("/livez")[0] == 200)
    assert api.get("/api/healthz")[0] == 503
    ingest = start("ingest")
    until(api.ready)
    assert (ingest.stop(), api.stop()) == (0, 0)


def test_a_broker_that_is_not_there_delays_nothing(start: Start) -> None:
    serve = start("serve", HOPSCOPE_MQTT_URL=f"mqtt://127.0.0.1:{free_port()}")
    until(serve.ready)
    until(lambda: "source.trouble" in serve.output)
    until(lambda: bool(serve.get("/api/mqtt/status")[1]["sources"]))
    (source,) = serve.get("/api/mqtt/status")[1]["sources"]
    assert source["connected"] is False
    assert serve.stop() == 0


def test_the_demo_says_where_it_is_and_has_packets_at_once(start: Start, tmp_path: Path) -> None:
    demo = start("demo")
    until(lambda: f"hopscope demo: http://127.0.0.1:{demo.port}" in demo.output)
    assert "Ctrl-C stops it" in demo.output
    until(lambda: (demo.get("/api/stats")[1] or {}).get("totalObservations", 0) > 500)
    newest = demo.get("/api/stats")[1]["totalObservations"]
    until(lambda: demo.get("/api/stats")[1]["totalObservations"] > newest)
    assert demo.get("/api/nodes?limit=5")[1]["total"] > 20

    second = start("demo")
    assert second.process.wait(PATIENCE_S) == 78
    assert "another hopscope writes" in second.output
    assert demo.stop(signal.SIGINT) == 0
    assert not list((tmp_path / "data").glob("hopscope.db*")), "a demo leaves the real database alone"


def test_ctrl_c_of_a_terminal_reaches_the_parent_alone(start: Start) -> None:
    """A terminal signals the whole foreground group; the children are not in it, so the parent keeps the order."""
    serve = start("serve")
    until(serve.ready)
    groups = {os.getpgid(pid) for pid in (*serve.pids("ingest"), *serve.pids("api"))}
    assert os.getpgid(serve.process.pid) not in groups
    assert serve.stop(signal.SIGINT) == 0
