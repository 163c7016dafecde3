"""The sample file and the page of settings are those of the table."""

import re
import tomllib
from pathlib import Path

from hopscope.config import sample
from hopscope.config.load import build
from hopscope.config.table import SETTINGS, SOURCE_SETTINGS

ROOT = Path(__file__).parents[4]
STALE = "is stale; write it anew with: hopscope config {}"


def test_the_sample_file_is_up_to_date() -> None:
    assert (ROOT / "hopscope.sample.toml").read_text() == sample.sample(), STALE.format("sample")


def test_the_page_of_settings_is_up_to_date() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == sample.documentation(), STALE.format("docs")


def test_the_sample_changes_nothing_as_it_stands() -> None:
    tables = tomllib.loads(sample.sample())
    assert build(tables, {}) == build({}, {})


def test_the_sample_names_every_setting_and_is_toml_when_uncommented() -> None:
    lines = re.sub(r"^# (?=[a-z_]+ = |\[\[sources\]\]$)", "", sample.sample(), flags=re.MULTILINE)
    tables = tomllib.loads(lines)
    named = {*tables, *(f"{group}.{name}" for group in ("privacy", "map") for name in tables[group])}
    assert {setting.key for setting in SETTINGS} <= named
    assert {setting.field for setting in SOURCE_SETTINGS} == set(tables["sources"][0])
