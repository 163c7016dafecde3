"""The pages say what the code does: the quickstart runs, named tests exist, and the page of states is not stale."""

import importlib.util
import logging
import re
import runpy
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry

import inchworm
from inchworm.cli.exits import Exit
from inchworm.cli.root import inchworm as commands

PACKAGE = Path(__file__).parent.parent
ROOT = PACKAGE.parent.parent
README = (PACKAGE / "README.md").read_text(encoding="utf-8")


APPLICATION = (ROOT / "docs" / "inchworm-in-your-application.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "inchworm-commands.md").read_text(encoding="utf-8")
EXAMPLE = PACKAGE / "examples" / "corescope"


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example's folder with its database, which the pages speak of, as the current directory.

    What was imported from it is forgotten at the end: another test may have a module of the same name.
    """
    for name in ("build.py", "migrations.py"):
        (tmp_path / name).write_bytes((EXAMPLE / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    subprocess.run([sys.executable, "build.py", "mesh.db", "--transmissions", "2000"], check=True, capture_output=True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def test_the_quickstart_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("mesh.db")) as db, db:
        db.execute("create table transmissions (id integer primary key, last_seen integer not null default 0)")
        db.execute("create table observations (transmission_id integer not null, timestamp integer not null)")
        db.execute("insert into transmissions (id) values (1), (2), (3)")
        db.execute("insert into observations values (1, 10), (1, 30), (3, 20)")
    exec(compile(code_blocks(README, "python")[0], "README.md", "exec"), {})
    with closing(sqlite3.connect("mesh.db")) as db:
        assert db.execute("select last_seen from transmissions order by id").fetchall() == [(30,), (0,), (20,)]


def test_the_quickstart_has_ten_lines() -> None:
    assert len(code_blocks(README, "python")[0].split("\n\n", 1)[1].splitlines()) <= 10


def fake_sqlalchemy() -> ModuleType:
    """As much of it as the page uses: an engine that knows its file."""
    module = ModuleType("sqlalchemy")
    url = SimpleNamespace(database="mesh.db")
    vars(module)["create_engine"] = lambda text: SimpleNamespace(url=url) if text.endswith("mesh.db") else None
    return module


@pytest.mark.parametrize("block", code_blocks(APPLICATION, "python"), ids=lambda block: block.splitlines()[0][:30])
def test_the_examples_of_the_page_for_applications_run(
    example: Path, monkeypatch: pytest.MonkeyPatch, block: str
) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", fake_sqlalchemy())
    monkeypatch.setattr("prometheus_client.REGISTRY", CollectorRegistry())
    migration = runpy.run_path(str(EXAMPLE / "migrations.py"))["tx_last_seen"]
    names: dict[str, Any] = {"migrations": [migration]}
    log = logging.getLogger("inchworm")
    monkeypatch.setattr(log, "handlers", log.handlers[:])
    level = log.level
    try:
        exec(compile(block, "inchworm-in-your-application.md", "exec"), names)
    finally:
        log.setLevel(level)
    for what in ("app", "reader"):
        if what in names:
            names[what].close()


SAID_BEFORE_IT_ENDED = re.compile(r"^\S+: (running|done|failed), .*\n", re.MULTILINE)
VARIES: tuple[tuple[str, str], ...] = (
    (r"as forecast|outside the forecast", "judged"),
    (r"; waited: .*", ""),
    (r", past the stall budget of .*", ""),
    (r"\d[\d,.]* (ms|s|min|h)( \d+ (s|min))?\b", "TIME"),
    (r"[\d,.]+ [MG]B", "SIZE"),
    (r"\d[\d,.]*", "N"),
    (r"[ ]+", " "),
)


def steady(text: str) -> list[str]:
    """The lines without what differs from machine to machine and from size to size."""
    for pattern, instead in VARIES:
        text = re.sub(pattern, instead, text)
    return [line.strip() for line in text.splitlines()]


def calls(page: str) -> Iterator[tuple[str, str]]:
    """Each command of the page's console blocks, with the output that is shown for it."""
    for block in code_blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown


def test_the_output_that_the_page_of_commands_shows_is_the_commands_output(example: Path) -> None:
    pytest.importorskip("apsw")
    with closing(sqlite3.connect("noindex.db")) as without, closing(sqlite3.connect("mesh.db")) as whole:
        whole.backup(without)
        without.execute("drop index idx_observations_transmission_id")
    for block in code_blocks(COMMANDS, "python"):
        Path(block.split()[1].rstrip(":")).write_text(block, encoding="utf-8")
    ran: Result | None = None
    for command, shown in calls(COMMANDS):
        if command == "echo $?":
            assert ran is not None
            assert str(ran.exit_code) == shown.strip()
            continue
        _, *words = command.partition(" 2>")[0].split()
        ran = CliRunner().invoke(commands, words)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        said = ran.stdout + ("" if "2>/dev/null" in command else SAID_BEFORE_IT_ENDED.sub("", ran.stderr))
        assert steady(said) == steady(shown), command


def test_the_page_of_commands_names_every_command_option_and_exit_code() -> None:
    for name, command in commands.commands.items():
        assert f"inchworm {name} " in COMMANDS, name
        options = [word for option in command.params for word in option.opts if word.startswith("--")]
        assert [word for word in options if word not in COMMANDS] == [], name
    assert {f"| {int(code)} |" for code in Exit} <= set(re.findall(r"^\| \d \|", COMMANDS, re.MULTILINE))


def test_every_test_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", README))
    places = [*PACKAGE.glob("tests/**/*.py"), *PACKAGE.glob("src/inchworm/testing/*.py")]
    defined = {name for place in places for name in re.findall(r"def (test_\w+)", place.read_text(encoding="utf-8"))}
    assert named
    assert named <= defined, named - defined


def test_every_name_that_the_pages_use_is_public() -> None:
    pages = README + APPLICATION + COMMANDS
    used = set(re.findall(r"\binchworm\.([A-Za-z]\w+)\b(?!\.?py)", "\n".join(code_blocks(pages, "python"))))
    assert used
    assert all(hasattr(inchworm, name) or importlib.util.find_spec(f"inchworm.{name}") for name in used), used


def test_the_page_of_states_is_not_stale() -> None:
    spec = importlib.util.spec_from_file_location("inchworm_states", ROOT / "tools" / "inchworm_states.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(), "run: python tools/inchworm_states.py"


def test_everything_that_is_exported_is_there_and_named_in_the_docstring() -> None:
    words = set(re.findall(r"\w+", inchworm.__doc__ or ""))
    for name in inchworm.__all__:
        kind = getattr(inchworm, name)
        assert not isinstance(kind, ModuleType), f"{name} is hidden by the module of that name"
        error = isinstance(kind, type) and issubclass(kind, inchworm.InchwormError)
        assert error or name in words, f"{name} is exported, but the docstring does not name it"
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        getattr(inchworm, "nonsense")  # noqa: B009


def test_every_module_stands_in_the_map_of_the_package() -> None:
    words = set(re.findall(r"\w+", inchworm.__doc__ or ""))
    modules = {path.stem for path in (PACKAGE / "src" / "inchworm").iterdir() if path.suffix in (".py", "")}
    missing = {name for name in modules if not name.startswith("_") and name not in ("py", "sql")} - words
    assert not missing, missing


def test_an_application_that_configures_no_logging_is_told_no_bare_event_names() -> None:
    code = "import logging, inchworm; logging.getLogger('inchworm').warning('inchworm.version', extra={'warning': 'x'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_importing_it_loads_no_database_driver() -> None:
    code = "import sys, inchworm; print({'sqlite3', 'apsw', 'psycopg', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
