"""`hopscope config` says what is wrong or writes a file; expected failures are one message and an exit code."""

import json
import stat
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hopscope.cli import main
from hopscope.config import sample


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, arguments, env=env)


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_check_says_that_all_is_well_and_shows_no_secret() -> None:
    Path("hopscope.toml").write_text(
        'api_key = "f3b0a9d2c4e18756aa90"\n[[sources]]\nname = "region"\nurl = "mqtts://me:geheim@broker.example"\n'
    )
    result = run("config", "check")
    assert result.exit_code == 0
    assert "region (broker.example:8883)" in result.output
    assert "geheim" not in result.output
    assert "f3b0" not in result.output


def test_check_lists_every_problem_and_ends_with_78() -> None:
    result = run("config", "check", env={"HOPSCOPE_LISTEN": "x", "HOPSCOPE_RETENTION_DAYS": "many"})
    assert result.exit_code == 78
    assert "2 problems" in result.stderr
    assert "HOPSCOPE_LISTEN: must be host:port" in result.stderr
    assert "HOPSCOPE_RETENTION_DAYS: must be a whole number" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("config", "check", "my.toml"),
        ("--config", "my.toml", "config", "check"),
        ("config", "check", "--config", "my.toml"),
    ],
)
def test_the_file_can_be_named_in_every_place(arguments: tuple[str, ...]) -> None:
    Path("my.toml").write_text('database = "elsewhere.db"\n')
    assert "elsewhere.db" in run(*arguments).output


def test_a_file_that_is_missing_is_said() -> None:
    result = run("--config", "none.toml", "config", "check")
    assert (result.exit_code, "none.toml: No such file" in result.stderr) == (78, True)


def test_sample_and_docs_are_printed() -> None:
    assert run("config", "sample").output == sample.sample()
    assert run("config", "docs").output == sample.documentation()


def corescope(**settings: object) -> None:
    Path("config.json").write_text(json.dumps({"port": 3000, **settings}))


def test_import_writes_a_file_that_only_its_owner_reads() -> None:
    corescope(mqttSources=[{"name": "a", "broker": "mqtt://b", "password": "geheim"}], packetStore={})
    result = run("config", "import", "config.json")
    assert result.exit_code == 0
    assert stat.S_IMODE(Path("hopscope.toml").stat().st_mode) == 0o600
    assert tomllib.loads(Path("hopscope.toml").read_text())["sources"][0]["password"] == "geheim"
    assert "packetStore: not needed" in result.stderr
    assert run("config", "check").exit_code == 0


def test_import_replaces_a_file_only_when_told_to() -> None:
    corescope()
    Path("hopscope.toml").write_text("# mine\n")
    refused = run("config", "import", "config.json")
    assert (refused.exit_code, Path("hopscope.toml").read_text()) == (1, "# mine\n")
    assert "--force" in refused.stderr
    assert run("config", "import", "config.json", "--force").exit_code == 0
    assert "listen" in Path("hopscope.toml").read_text()


def test_import_prints_on_request() -> None:
    corescope()
    assert 'listen = "127.0.0.1:3000"' in run("config", "import", "config.json", "--output", "-").stdout


def test_import_of_something_else_is_refused() -> None:
    Path("config.json").write_text('{"name": "left-pad"}')
    result = run("config", "import", "config.json")
    assert (result.exit_code, "no key of a CoreScope configuration" in result.stderr) == (78, True)
    assert run("config", "import", "none.json").exit_code == 1


def test_version_names_the_three_packages() -> None:
    assert all(name in run("version").output for name in ("hopscope 0", "inchworm 0", "meshwire 0"))
