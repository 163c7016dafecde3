"""The commented sample configuration and docs/configuration.md, both made from the table of settings."""

from collections.abc import Iterable
from typing import Any

from hopscope.config import toml
from hopscope.config.table import SETTINGS, SOURCE_SETTINGS, Setting

SAMPLE_HEAD = """\
# Configuration of hopscope. Every line that is commented out shows its default, or an example where there is none.
# Each setting can be overridden by the environment variable named beside it.
# Check this file with: hopscope config check
"""

GROUPS = {"privacy": "What is kept out of every answer.", "map": "A street map behind the built-in outline map."}

DOCS_HEAD = """\
# Configuration

hopscope reads `hopscope.toml` from the working directory, or the file named by `--config` or `HOPSCOPE_CONFIG`.
Every setting has a default, and an environment variable that overrides the file; an empty variable counts as unset.
`hopscope config check` reads everything and names all problems at once; `hopscope config sample` prints a commented
file to start from; `hopscope config import config.json` makes one from the settings of a CoreScope installation.

In variables, lists are written with commas (`HOPSCOPE_HASHTAGS="#test, #bot"`), tables as `name=value` with commas
between them. Relative paths start at the working directory. A name that is no setting is an error, with the nearest
one that is: a misspelt setting never falls back to its default in silence.

This page and [the sample](../hopscope.sample.toml) are generated: `hopscope config docs`, `hopscope config sample`.
"""

DOCS_SOURCES = """
## Sources

One table under a line `[[sources]]` per MQTT broker. For a single broker the variables do: `HOPSCOPE_MQTT_URL` with
the others beside it takes the place of all `[[sources]]`. A user and password inside the address are split off;
addresses are always shown without them. Without any source, hopscope starts and its first page says how to connect one.
"""


def sample() -> str:
    """hopscope.toml with every setting commented out."""
    parts = [SAMPLE_HEAD, *(_commented(setting) for setting in SETTINGS if "." not in setting.key)]
    for group, meaning in GROUPS.items():
        parts.append(f"# {meaning}\n[{group}]\n")
        parts += [_commented(setting) for setting in SETTINGS if setting.key.startswith(group + ".")]
    parts.append("# One table per MQTT broker; for a single one HOPSCOPE_MQTT_URL does as well.\n# [[sources]]\n")
    parts += [_commented(setting) for setting in SOURCE_SETTINGS]
    return "\n".join(parts)


def documentation() -> str:
    """docs/configuration.md."""
    parts = [DOCS_HEAD, "## Settings\n", _table(SETTINGS), DOCS_SOURCES, _table(SOURCE_SETTINGS)]
    return "\n".join(parts)


def _commented(setting: Setting) -> str:
    return f"# {setting.meaning} ({setting.env})\n# {toml.assignment(setting.field, _shown(setting))}\n"


def _shown(setting: Setting) -> Any:
    return setting.default if setting.sample is None else setting.sample


def _table(settings: Iterable[Setting]) -> str:
    rows = [
        f"| `{setting.key.removeprefix('mqtt.')}` | `{setting.env}` | {_default(setting)} | {_cell(setting.meaning)} |"
        for setting in settings
    ]
    return "\n".join(["| setting | variable | default | meaning |", "|---|---|---|---|", *rows, ""])


def _default(setting: Setting) -> str:
    return "none" if setting.default in (None, [], {}) else f"`{_cell(toml.value(setting.default))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
