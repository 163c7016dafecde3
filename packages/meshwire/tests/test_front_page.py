"""What a stranger meets first: the README's example runs, help() explains, the list of names is in order."""

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import meshwire

PACKAGE = Path(meshwire.__file__).parent
DATA = Path(__file__).parent / "data"
README = Path(__file__).parent.parent / "README.md"
MODULES = [f"meshwire.{module.name.removeprefix('meshwire.')}" for module in pkgutil.walk_packages([str(PACKAGE)], "")]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_quickstart_runs_and_prints_what_the_readme_says() -> None:
    (code,), (output,) = blocks("python"), blocks("text")
    assert len(code.splitlines()) <= 10
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stdout == output


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(meshwire) == doctest.TestResults(failed=0, attempted=3)


def test_public_names_are_sorted_documented_and_there() -> None:
    names = [name for name in meshwire.__all__ if not name.isupper() and name != "EMPTY_KEYS"]
    assert names == sorted(names, key=lambda name: (name[0].islower(), name))
    for name in names:
        assert inspect.getdoc(getattr(meshwire, name)), name


def test_every_module_says_in_four_lines_what_it_is_for() -> None:
    for name in MODULES:
        text = importlib.import_module(name).__doc__
        assert text, name
        assert len(text.strip().splitlines()) <= 4, name


def test_decoding_imports_nothing_that_does_io() -> None:
    """The decoder has no clock, no socket, no log; only the command line may touch the outside."""
    banned = {"os", "socket", "sqlite3", "threading", "time", "logging", "asyncio", "random", "pathlib", "sys"}
    for path in PACKAGE.rglob("*.py"):
        if path.name != "cli.py":
            assert not imports(path) & banned, path.name


def test_only_the_reader_unpacks_bytes() -> None:
    assert {path.name for path in PACKAGE.rglob("*.py") if "struct" in imports(path)} == {"reader.py"}


def test_payload_modules_do_not_know_each_other() -> None:
    for path in (PACKAGE / "payloads").glob("*.py"):
        assert "meshwire.payloads" not in path.read_text("utf-8"), path.name


def test_the_package_is_typed_and_its_only_dependency_is_cryptography() -> None:
    assert (PACKAGE / "py.typed").exists()
    outside = {name for path in PACKAGE.rglob("*.py") for name in imports(path)} - set(sys.stdlib_module_names)
    assert outside == {"meshwire", "cryptography"}


def test_the_protocol_page_names_every_payload_type_and_json_key() -> None:
    page = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text("utf-8")
    expected = [json.loads(row)["expected"] for row in (DATA / "packets.jsonl").read_text().splitlines()]
    keys = {key for found in expected for key in found} | {
        key for found in expected for value in found.values() if isinstance(value, dict) for key in value
    }
    for word in keys | {kind.name for kind in meshwire.PayloadType if "RESERVED" not in kind.name}:
        assert re.search(rf"\b{word}\b", page), word


def test_the_vectors_name_their_sources() -> None:
    rows = (DATA / "packets.jsonl").read_text().splitlines()
    assert all(json.loads(row)["sources"] for row in rows)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
