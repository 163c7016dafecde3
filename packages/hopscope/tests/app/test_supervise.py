"""The supervisor keeps real processes running, stops them in order, and leaves none behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hopscope.app.restart import LONGEST_DELAY_S
from hopscope.app.stop import StopToken
from hopscope.app.supervise import ChildSpec, Supervisor

# A child that appends "NAME start PID", then "NAME stop" when it is asked to, and ends when its stdin does.
CHILD = """
import os, signal, sys
name, log = sys.argv[1], sys.argv[2]
def say(word):
    with open(log, "a") as file:
        file.write(f"{name} {word} {os.getpid()}\\n")
def stop(*_):
    say("stop")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
say("start")
sys.stdin.buffer.read()
say("orphan")
"""


def spec(name: str, log: Path, *, code: str = CHILD, grace_s: float = 10) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code, name, str(log)), grace_s)


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def wait_for(condition: Callable[[], bool], *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Running:
    """A supervisor in a thread."""

    def __init__(self, *specs: ChildSpec, now_s: Callable[[], float] = time.monotonic) -> None:
        self.stop, self.hurry, self.codes = StopToken(), threading.Event(), list[int]()
        supervisor = Supervisor(specs, stop=self.stop, hurry=self.hurry, now_s=now_s)
        self._thread = threading.Thread(target=lambda: self.codes.append(supervisor.run()), daemon=True)
        self._thread.start()

    def end(self) -> int:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.codes[0]


def test_both_are_started_and_stopped_in_the_order_given(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = Running(spec("first", log), spec("second", log))
    wait_for(lambda: len(lines(log)) == 2)
    pids = [int(line.split()[2]) for line in lines(log)]
    running.stop.set("test")
    assert running.end() == 0
    assert [line.rsplit(" ", 1)[0] for line in lines(log)[2:]] == ["first stop", "second stop"]
    assert not any(alive(pid) for pid in pids)


def test_a_killed_child_is_started_again_and_the_other_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = Running(spec("victim", log), spec("other", log))
    wait_for(lambda: len(lines(log)) == 2)
    victim = next(int(line.split()[2]) for line in lines(log) if line.startswith("victim"))
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(lines(log)) == 3)
    assert lines(log)[2].startswith("victim start")
    running.stop.set("test")
    running.end()


def test_a_crashing_child_is_started_again_only_when_its_delay_is_over(tmp_path: Path) -> None:
    log, clock, ended = tmp_path / "log", [0.0], threading.Event()
    code = "import sys; open(sys.argv[2], 'a').write('x start 0\\n'); sys.exit(1)"

    def now_s() -> float:
        ended.set()
        return clock[0]

    running = Running(spec("crash", log, code=code), now_s=now_s)
    wait_for(lambda: len(lines(log)) == 1)
    for _ in range(5):  # looks of the supervisor at a clock that stands still
        ended.clear()
        ended.wait(1)
    assert len(lines(log)) == 1

    def moved_on() -> bool:
        clock[0] += LONGEST_DELAY_S
        return len(lines(log)) >= 3

    wait_for(moved_on)
    running.stop.set("test")
    running.end()


def test_a_permanent_reason_ends_the_rest_with_its_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    started = f"import os, sys, time\nwhile not os.path.exists({str(log)!r}): time.sleep(0.01)\nsys.exit(78)"
    running = Running(spec("ingest", log), spec("api", log, code=started))
    assert running.end() == 78
    assert [line.split()[1] for line in lines(log)] == ["start", "stop"]
    assert running.stop.reason == "api cannot run"


def test_a_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    deaf = CHILD.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    running = Running(spec("deaf", log, code=deaf, grace_s=0.1))
    wait_for(lambda: len(lines(log)) == 1)
    pid = int(lines(log)[0].split()[2])
    running.stop.set("test")
    running.end()
    assert not alive(pid)


def test_a_second_signal_kills_without_waiting(tmp_path: Path) -> None:
    log = tmp_path / "log"
    deaf = CHILD.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    running = Running(spec("deaf", log, code=deaf, grace_s=600))
    wait_for(lambda: len(lines(log)) == 1)
    running.stop.set("test")
    running.hurry.set()
    running.end()


PARENT = """
import sys, threading
from hopscope.app.stop import StopToken
from hopscope.app.supervise import ChildSpec, Supervisor
log, child = sys.argv[1], sys.argv[2]
specs = [ChildSpec(name, (sys.executable, "-c", child, name, log), 5) for name in ("a", "b")]
Supervisor(specs, stop=StopToken(), hurry=threading.Event()).run()
"""


def test_no_child_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", PARENT, str(log), CHILD]) as parent:
        wait_for(lambda: len(lines(log)) == 2)
        pids = [int(line.split()[2]) for line in lines(log)]
        parent.kill()
    wait_for(lambda: not any(alive(pid) for pid in pids))
    assert sorted(line.split()[1] for line in lines(log)[2:]) == ["orphan", "orphan"]


ORPHAN = """
import sys
from hopscope.app.child import stop_on_signals, stop_with_parent
from hopscope.app.stop import StopToken
stop = StopToken()
stop_on_signals(stop)
stop_with_parent(stop)
print("ready", flush=True)
stop.wait()
print(stop.reason, flush=True)
"""


@pytest.mark.parametrize(("end", "reason"), [("pipe", "the parent is gone"), ("signal", "SIGTERM")])
def test_a_process_stops_when_its_stdin_ends_or_a_signal_comes(end: str, reason: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        if end == "pipe":
            child.stdin.close()
        else:
            child.terminate()
        assert child.stdout.readline() == reason + "\n"
        assert child.wait(20) == 0


@pytest.mark.parametrize("ignored", [True, False])
def test_a_hangup_stops_a_process_unless_it_was_started_to_outlive_the_terminal(*, ignored: bool) -> None:
    # said in both cases, because the tests themselves may have been started to outlive a terminal
    start = f"import signal; signal.signal(signal.SIGHUP, signal.{'SIG_IGN' if ignored else 'SIG_DFL'})\n"
    with subprocess.Popen(
        [sys.executable, "-c", start + ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGHUP)
        if ignored:
            child.terminate()
        assert child.stdout.readline() == ("SIGTERM\n" if ignored else "SIGHUP\n")
