"""Who holds a migration, and whether that process still lives.

A holder on this machine is judged at once (process id and start time, boot id); one elsewhere only by its lease.
"""

import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

LEASE_S = 60.0  # a reading slice may take 10 s; four heartbeats fit in one lease

_living: set[str] = set()  # tokens of runners of this process, so that one that crashed in a thread counts as dead


@dataclass(frozen=True, slots=True)
class Holder:
    """One runner. `boot` and `namespace` say whether its `pid` means anything here."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: str
    token: str

    def __str__(self) -> str:
        return "|".join((self.host, self.boot, self.namespace, str(self.pid), self.started, self.token))

    @property
    def described(self) -> str:
        """For messages: `pid 123 on host`."""
        return f"pid {self.pid} on {self.host}"


def parse_holder(text: str) -> Holder | None:
    """A stored holder, or None when something else wrote it."""
    parts = text.split("|")
    if len(parts) != 6 or not parts[3].isdigit():
        return None
    return Holder(parts[0], parts[1], parts[2], int(parts[3]), parts[4], parts[5])


def this_holder() -> Holder:
    """A new holder for a runner of this process; give it back with `retire`."""
    token = uuid.uuid4().hex
    _living.add(token)
    return Holder(socket.gethostname(), _boot_id(), _namespace(), os.getpid(), _start_time(os.getpid()), token)


def retire(holder: Holder) -> None:
    """The runner has ended; may be called twice."""
    _living.discard(holder.token)


def is_dead(text: str) -> bool | None:
    """True: certainly gone. False: certainly alive. None: of another machine, only its lease can tell."""
    holder = parse_holder(text)
    if holder is None or holder.host != socket.gethostname():
        return None
    if holder.boot != _boot_id():
        return True  # this machine was started again since
    if holder.namespace != _namespace():
        return None
    if holder.pid == os.getpid():
        return holder.token not in _living
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's process has that number; the start time tells whether it is the holder
    return _start_time(holder.pid) != holder.started


def lapsed(until_s: float | None, wall_s: float) -> bool:
    """Whether a lease has ended, so that the next runner may take over whatever became of the holder (Unix seconds)."""
    return until_s is None or until_s <= wall_s


def _boot_id() -> str:
    return _text("/proc/sys/kernel/random/boot_id")


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_time(pid: int) -> str:
    """Field 22 of /proc/<pid>/stat (proc(5)), in clock ticks since boot; a zombie counts as gone."""
    stat = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return "" if len(stat) < 20 or stat[0] in {"Z", "X"} else stat[19]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
