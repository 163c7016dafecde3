"""Settings from hopscope.toml and HOPSCOPE_… variables. Reports all problems at once, and never shows a secret.

Only the composition root and the command line use it.
"""

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hopscope.config import kinds
from hopscope.config.settings import Channel, MqttSource, Privacy, Settings
from hopscope.config.table import SETTINGS, SOURCE_SETTINGS, Setting
from meshwire import hashtag_key

DEFAULT_FILE = Path("hopscope.toml")
SOURCES = "sources"
# Variables that are not settings: where the file is, what an image says of itself, and what our own tests read.
OTHER_VARIABLES = frozenset(
    {"HOPSCOPE_CONFIG", "HOPSCOPE_COMMIT", "HOPSCOPE_BUILD_TIME", "HOPSCOPE_APT", "HOPSCOPE_REQUIRE"}
)
# Kubernetes tells every pod about a service named "hopscope" in variables of these names.
OF_KUBERNETES = ("HOPSCOPE_SERVICE_", "HOPSCOPE_PORT")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: which setting (as the user wrote it), what, and what the setting means."""

    name: str
    wrong: str
    meaning: str | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.wrong}" + (f" ({self.meaning})" if self.meaning else "")


class ConfigError(Exception):
    """The configuration cannot be used; `problems` has all that is wrong with it, str() one per line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load(file: Path | None, env: Mapping[str, str]) -> Settings:
    """Settings of a TOML file, overridden by variables.

    `file` None: HOPSCOPE_CONFIG, else hopscope.toml of the working directory when there is one. Raises ConfigError.
    """
    chosen = file or (Path(env["HOPSCOPE_CONFIG"]) if env.get("HOPSCOPE_CONFIG") else None)
    if chosen is None:
        chosen = DEFAULT_FILE if DEFAULT_FILE.exists() else None
    return build({} if chosen is None else read_file(chosen), env)


def read_file(file: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises ConfigError when it cannot be read."""
    try:
        return parse(file.read_text(encoding="utf-8"), str(file))
    except OSError as exc:
        raise ConfigError([Problem(str(file), exc.strerror or str(exc))]) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError([Problem(str(file), "is no text in UTF-8")]) from exc


def parse(text: str, name: str) -> dict[str, Any]:
    """The tables of TOML text. `name` stands in the message of the ConfigError that it raises otherwise."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError([Problem(name, f"is not TOML: {exc}")]) from exc


def build(tables: Mapping[str, Any], env: Mapping[str, str]) -> Settings:
    """Settings of parsed TOML and variables. Raises ConfigError."""
    found = _Findings()
    _check_names(tables, env, found)
    values = _values(SETTINGS, _flat(tables), env, found)
    sources = _sources(tables, env, found)
    try:
        tiles = kinds.tiles(values["map.tiles_url"], values["map.tiles_attribution"])
    except ValueError as exc:
        found.add("map.tiles_attribution", str(exc))
    if found.problems:
        raise ConfigError(found.problems)
    host, port = values["listen"]
    return Settings(
        database=values["database"],
        host=host,
        port=port,
        api_key=values["api_key"],
        sources=sources,
        channels=_channels(values["hashtags"], values["channels"]),
        regions=values["regions"],
        region_labels=values["region_labels"],
        blocked_observers=frozenset(values["blocked_observers"]),
        privacy=Privacy(
            hidden_markers=values["privacy.hidden_markers"],
            hidden_keys=frozenset(values["privacy.hidden_keys"]),
            companion_decimals=values["privacy.companion_decimals"],
            request_senders=values["privacy.request_senders"],
        ),
        tiles=tiles,
        allowed_origins=values["allowed_origins"],
        retention_days=values["retention_days"],
        stall_budget_ms=values["stall_budget_ms"],
        import_dir=values["import_dir"],
        title=values["title"],
        log_level=values["log_level"],
    )


class _Findings:
    """Collects problems, so that all are reported at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, name: str, wrong: str, meaning: str | None = None) -> None:
        self.problems.append(Problem(name, wrong, meaning))


def _values(
    settings: Iterable[Setting], written: Mapping[str, Any], env: Mapping[str, str], found: _Findings
) -> dict[str, Any]:
    """Checked value of each setting, by key. A setting with a problem has None, and is reported."""
    return {setting.key: _value(setting, written, env, found) for setting in settings}


def _value(setting: Setting, written: Mapping[str, Any], env: Mapping[str, str], found: _Findings) -> Any:
    name, value = setting.key, written.get(setting.key, setting.default)
    try:
        if env.get(setting.env):  # an empty variable is as good as none: container files set them so
            name = setting.env
            value = setting.from_text(env[setting.env])
        return None if value is None else setting.check(value)
    except ValueError as exc:
        found.add(name, str(exc), setting.meaning)
        return None


def _sources(tables: Mapping[str, Any], env: Mapping[str, str], found: _Findings) -> tuple[MqttSource, ...]:
    """The sources of the file; a broker named by variables takes the place of all of them."""
    if any(env.get(setting.env) for setting in SOURCE_SETTINGS):
        if not env.get("HOPSCOPE_MQTT_URL"):
            found.add("HOPSCOPE_MQTT_URL", "is missing, but other HOPSCOPE_MQTT_… variables describe a broker")
            return ()
        source = _source(
            _values(SOURCE_SETTINGS, {}, env, found), lambda field: f"HOPSCOPE_MQTT_{field.upper()}", found
        )
        return () if source is None else (source,)
    listed = tables.get(SOURCES, [])
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        found.add(SOURCES, "must be tables, each under a line [[sources]]")
        return ()
    sources = [_listed_source(number, entry, found) for number, entry in enumerate(listed, start=1)]
    names = [source.name for source in sources if source]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.add(SOURCES, f"{name!r} is the name of more than one; give each its own name")
    return tuple(source for source in sources if source)


def _listed_source(number: int, entry: Mapping[str, Any], found: _Findings) -> MqttSource | None:
    place = f"sources[{number}]."
    own = _Findings()
    known = [setting.field for setting in SOURCE_SETTINGS]
    for name in entry:
        if name not in known:
            own.add(f"mqtt.{name}", _unknown(name, known))
    written = {"mqtt.name": f"mqtt-{number}", **{f"mqtt.{name}": value for name, value in entry.items()}}
    source = _source(_values(SOURCE_SETTINGS, written, {}, own), lambda field: f"mqtt.{field}", own)
    found.problems += [
        Problem(place + problem.name.removeprefix("mqtt."), problem.wrong, problem.meaning) for problem in own.problems
    ]
    return source


def _source(values: Mapping[str, Any], name: Callable[[str], str], found: _Findings) -> MqttSource | None:
    if values["mqtt.url"] is None:
        if not any(problem.name == name("url") for problem in found.problems):
            found.add(name("url"), "is missing", _meaning("mqtt.url"))
        return None
    url, user, password = values["mqtt.url"]
    if user and values["mqtt.username"]:
        found.add(name("username"), "is given twice, here and in the address")
    ca_file = values["mqtt.ca_file"]
    if ca_file and not Path(ca_file).is_file():
        found.add(name("ca_file"), f"there is no file {ca_file}", _meaning("mqtt.ca_file"))
    if not values["mqtt.topics"]:
        found.add(name("topics"), "is empty, so nothing would be received", _meaning("mqtt.topics"))
    if found.problems:
        return None
    fields = {setting.field: values[setting.key] for setting in SOURCE_SETTINGS}
    return MqttSource(
        **{**fields, "url": url, "username": user or fields["username"], "password": password or fields["password"]}
    )


def _channels(hashtags: Iterable[str], keys: Mapping[str, bytes]) -> tuple[Channel, ...]:
    derived = {name: hashtag_key(name) for name in hashtags}
    return tuple(Channel(name, key) for name, key in {**derived, **keys}.items())


def _flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    """TOML tables as "table.key"; a table that is itself a setting's value stays whole."""
    groups = {setting.key.partition(".")[0] for setting in SETTINGS if "." in setting.key}
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        if name in groups and isinstance(value, dict):
            flat |= {f"{name}.{inner}": given for inner, given in value.items()}
        else:
            flat[name] = value
    return flat


def _check_names(tables: Mapping[str, Any], env: Mapping[str, str], found: _Findings) -> None:
    keys = [setting.key for setting in SETTINGS]
    for name in _flat(tables):
        if name != SOURCES and name not in keys:
            found.add(name, _unknown(name, [*keys, SOURCES]))
    variables = [setting.env for setting in (*SETTINGS, *SOURCE_SETTINGS)]
    for name in env:
        if name.startswith(OF_KUBERNETES) or name in OTHER_VARIABLES:
            continue
        if name.startswith("HOPSCOPE_") and name not in variables:
            found.add(name, _unknown(name, variables))


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return "is no setting" + (f"; did you mean {near[0]}?" if near else "")


def _meaning(key: str) -> str:
    return next(setting.meaning for setting in SOURCE_SETTINGS if setting.key == key)
