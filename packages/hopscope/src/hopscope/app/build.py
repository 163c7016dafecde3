"""Which commit runs: what the image says, else what pip recorded, else the checkout that it runs from. Never a guess.

Of a checkout it is the commit that was checked out when the process started; changes on top of it are not seen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import msgspec

COMMIT, TIME = "HOPSCOPE_COMMIT", "HOPSCOPE_BUILD_TIME"  # set by deploy/Dockerfile
UNKNOWN = "unknown"
PLACE = "packages/hopscope/src/hopscope"  # of this package in our repository; anywhere else .git is somebody else's

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_LINKS = 5  # symbolic refs that are followed


@dataclass(frozen=True, slots=True)
class Build:
    """Commit (hex) and time of the build (RFC 3339, as the builder gave it), each "unknown" where nobody says."""

    commit: str = UNKNOWN
    time: str = UNKNOWN


def build(env: Mapping[str, str], package: Path) -> Build:
    """What is known about the package in this directory."""
    commit = env.get(COMMIT, "").strip().lower() or recorded() or checked_out(package) or ""
    return Build(commit if _COMMIT.fullmatch(commit) else UNKNOWN, env.get(TIME, "").strip()[:40] or UNKNOWN)


def recorded() -> str | None:
    """The commit that pip recorded when it installed from a repository (PEP 610)."""
    try:
        text = distribution("hopscope").read_text("direct_url.json")
        found = msgspec.json.decode(text or b"{}", type=dict[str, object]).get("vcs_info")
    except (PackageNotFoundError, msgspec.MsgspecError, OSError):
        return None
    commit = found.get("commit_id") if isinstance(found, dict) else None
    return commit if isinstance(commit, str) else None


def checked_out(package: Path) -> str | None:
    """The commit of the checkout that holds the package; read from its files, because git may not be installed."""
    package = package.resolve()
    if not package.as_posix().endswith(PLACE):
        return None
    git = package.parents[len(Path(PLACE).parts) - 1] / ".git"
    try:
        if git.is_file():  # of a worktree: "gitdir: PATH"
            git = (git.parent / git.read_text().partition(":")[2].strip()).resolve()
        return _resolved(git, (git / "HEAD").read_text().strip())
    except (OSError, UnicodeDecodeError):
        return None


def _resolved(git: Path, head: str) -> str | None:
    shared = (git / (git / "commondir").read_text().strip()) if (git / "commondir").is_file() else git
    for _ in range(_LINKS):
        if not head.startswith("ref:"):
            return head
        name = head.partition(":")[2].strip()
        loose = next((base / name for base in (git, shared) if (base / name).is_file()), None)
        head = loose.read_text().strip() if loose else _packed(shared, name)
    return None


def _packed(git: Path, name: str) -> str:
    lines = (git / "packed-refs").read_text().splitlines()
    return next((line.split(" ")[0] for line in lines if line.endswith(f" {name}")), "")
