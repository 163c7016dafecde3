"""What the figures were measured on: processor, memory, system, file system and versions. No names, no paths."""

import importlib.metadata
import os
import platform
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
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), None)


def _file_system(folder: Path) -> str:
    """Type of the file system with the longest mount point above `folder`; unknown outside Linux."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return "unknown"
    above = [(len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(above, default=(0, "unknown"))[1]
