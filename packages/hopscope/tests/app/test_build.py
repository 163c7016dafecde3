"""Which commit runs is told where somebody knows it, and nowhere else."""

from pathlib import Path

import pytest

from hopscope.app import build
from hopscope.app.build import Build

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = COMMIT[::-1]


@pytest.fixture(autouse=True)
def nothing_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "recorded", lambda: None)


def checkout(root: Path, files: dict[str, str]) -> Path:
    """A checkout of ours with these files in .git; where its package lies."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    package = root / build.PLACE
    package.mkdir(parents=True)
    return package


def test_an_image_says_what_it_was_built_from(tmp_path: Path) -> None:
    env = {"HOPSCOPE_COMMIT": COMMIT.upper(), "HOPSCOPE_BUILD_TIME": "2026-03-21T10:00:00Z"}
    assert build.build(env, tmp_path) == Build(COMMIT, "2026-03-21T10:00:00Z")


@pytest.mark.parametrize("said", ["", "main", "<script>", "0" * 100])
def test_what_is_no_commit_is_not_repeated(tmp_path: Path, said: str) -> None:
    assert build.build({"HOPSCOPE_COMMIT": said}, tmp_path) == Build("unknown", "unknown")


@pytest.mark.parametrize(
    "files",
    [
        {".git/HEAD": COMMIT + "\n"},
        {".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": COMMIT + "\n"},
        {".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": f"# pack-refs\n{COMMIT} refs/heads/main\n"},
        {
            ".git": "gitdir: away/worktrees/one\n",
            "away/worktrees/one/HEAD": "ref: refs/heads/side\n",
            "away/worktrees/one/commondir": "../..\n",
            "away/refs/heads/side": COMMIT,
        },
    ],
    ids=["detached", "branch", "packed", "worktree"],
)
def test_a_checkout_says_its_commit_without_git(tmp_path: Path, files: dict[str, str]) -> None:
    assert build.build({}, checkout(tmp_path, files)) == Build(COMMIT, "unknown")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {".git/HEAD": "ref: refs/heads/main\n"},
        {".git/HEAD": "ref: refs/heads/a\n", ".git/refs/heads/a": "ref: refs/heads/a\n"},
        {".git/HEAD": "ref: refs/heads/x\n", ".git/packed-refs": ""},
    ],
    ids=["no repository", "unborn branch", "circle", "no such ref"],
)
def test_a_checkout_that_says_nothing_is_unknown(tmp_path: Path, files: dict[str, str]) -> None:
    assert build.build({}, checkout(tmp_path, files)) == Build()


def test_the_repository_of_somebody_else_is_not_asked(tmp_path: Path) -> None:
    checkout(tmp_path, {".git/HEAD": COMMIT})
    package = tmp_path / ".venv/lib/python3.11/site-packages/hopscope"
    package.mkdir(parents=True)
    assert build.build({}, package) == Build()


def test_what_pip_recorded_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "recorded", lambda: OTHER)
    assert build.build({}, tmp_path).commit == OTHER
    assert build.build({"HOPSCOPE_COMMIT": COMMIT}, tmp_path).commit == COMMIT
