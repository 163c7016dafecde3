"""What the figures were measured on: processor, memory, system, file system and versions. No names, no paths."""

import importlib.metadata
import os
import platform
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import apsw


def machine(folder: Path) -> dict[str, object]:
    """The machine as the report names it. `folder` lies on the file system that is measured."""
    return {
        "cpu": _line("/proc/cpuinfo", "model name") or platform.machine(),
        "cpus": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(folder),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


class Others:
    """How much of the machine other programs used since this was made: average CPUs, ours and our children's apart.

    A run beside a busy neighbour says little; the report shows it with each run, and `wait_until_quiet` avoids it.
    """

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.monotonic(), _busy_s(), _own_s()

    def cpus(self) -> float:
        """Children count once they have ended and were waited for."""
        passed = time.monotonic() - self._began
        return max(0.0, (_busy_s() - self._busy) - (_own_s() - self._own)) / passed if passed > 0 else 0.0


def wait_until_quiet(patience_s: float) -> None:
    """Wait until others used less than a tenth of a CPU for a second, at most `patience_s`."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        others = Others()
        time.sleep(1.0)
        if others.cpus() < 0.1:
            return


def _busy_s() -> float:
    """CPU seconds that all programs of the machine have used; 0 outside Linux."""
    line = next(iter(_lines("/proc/stat")), "cpu 0 0 0 0 0 0 0 0")
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def versions() -> dict[str, str]:
    """Versions of what takes part; every process of the benchmark uses this SQLite."""
    return {
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "apsw": apsw.apsw_version(),
        "inchworm": importlib.metadata.version("inchworm"),
    }


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def _line(path: str, key: str) -> str | None:
    return next((line.partition(":")[2].strip() for line in _lines(path) if line.startswith(key)), None)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _file_system(folder: Path) -> str:
    """Type of the file system with the longest mount point above `folder`; unknown outside Linux."""
    mounts = [line.split()[1:3] for line in _lines("/proc/mounts")]
    above = [(len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(above, default=(0, "unknown"))[1]
