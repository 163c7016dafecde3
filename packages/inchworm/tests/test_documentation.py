"""The pages say what the code does: the quickstart runs, named tests exist, and the page of states is not stale."""

import importlib.util
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import inchworm

PACKAGE = Path(__file__).parent.parent
ROOT = PACKAGE.parent.parent
README = (PACKAGE / "README.md").read_text(encoding="utf-8")


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


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


def test_every_test_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", README))
    places = [*PACKAGE.glob("tests/**/*.py"), *PACKAGE.glob("src/inchworm/testing/*.py")]
    defined = {name for place in places for name in re.findall(r"def (test_\w+)", place.read_text(encoding="utf-8"))}
    assert named
    assert named <= defined, named - defined


def test_every_name_that_the_pages_use_is_public() -> None:
    pages = README + (ROOT / "docs" / "inchworm-in-your-application.md").read_text(encoding="utf-8")
    used = set(re.findall(r"\binchworm\.([A-Za-z]\w+)\b(?!\.?py)", "\n".join(code_blocks(pages, "python"))))
    assert used
    assert all(hasattr(inchworm, name) for name in used), used


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
        assert getattr(inchworm, name) is not None
        kind = getattr(inchworm, name)
        error = isinstance(kind, type) and issubclass(kind, inchworm.InchwormError)
        assert error or name in words, f"{name} is exported, but the docstring does not name it"
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        getattr(inchworm, "nonsense")  # noqa: B009


def test_every_module_stands_in_the_map_of_the_package() -> None:
    words = set(re.findall(r"\w+", inchworm.__doc__ or ""))
    modules = {path.stem for path in (PACKAGE / "src" / "inchworm").iterdir() if path.suffix in (".py", "")}
    missing = {name for name in modules if not name.startswith("_") and name not in ("py", "sql")} - words
    assert not missing, missing


def test_importing_it_loads_no_database_driver() -> None:
    code = "import sys, inchworm; print({'sqlite3', 'apsw', 'psycopg', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
