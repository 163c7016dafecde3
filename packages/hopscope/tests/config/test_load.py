"""Settings come from a file and from variables; everything wrong is said at once, by name, without secrets."""

from pathlib import Path

import pytest

from hopscope.config.load import ConfigError, build, load
from hopscope.config.settings import MapTiles, MqttSource, Settings
from hopscope.config.table import SETTINGS, SOURCE_SETTINGS

STRONG = "f3b0a9d2c4e18756aa90"


def problems(tables: dict[str, object], env: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        build(tables, env or {})
    return {problem.name: problem.wrong for problem in caught.value.problems}


def test_nothing_configured_gives_the_defaults() -> None:
    assert build({}, {}) == Settings()


def test_a_file_is_read_and_a_variable_overrides_it(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('title = "Tirol"\nretention_days = 30\n[privacy]\ncompanion_decimals = "exact"\n')
    settings = load(file, {"HOPSCOPE_RETENTION_DAYS": "7"})
    assert (settings.title, settings.retention_days, settings.privacy.companion_decimals) == ("Tirol", 7, None)
    assert load(None, {"HOPSCOPE_CONFIG": str(file)}).title == "Tirol"


def test_the_file_of_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Settings()
    Path("hopscope.toml").write_text('title = "here"\n')
    assert load(None, {}).title == "here"


def test_a_named_file_that_is_missing_or_no_toml_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml", {})
    (tmp_path / "bad.toml").write_text("title =")
    with pytest.raises(ConfigError, match="is not TOML"):
        load(tmp_path / "bad.toml", {})


def test_all_problems_are_reported_at_once_with_name_and_meaning() -> None:
    with pytest.raises(ConfigError) as caught:
        build({"retention_days": -1, "listen": "8080", "api_key": "changeme"}, {"HOPSCOPE_LOG_LEVEL": "loud"})
    found = {problem.name for problem in caught.value.problems}
    assert found == {"retention_days", "listen", "api_key", "HOPSCOPE_LOG_LEVEL"}
    assert all(problem.meaning for problem in caught.value.problems)
    assert len(str(caught.value).splitlines()) == 4


def test_an_unknown_name_is_an_error_that_names_the_nearest_known_one() -> None:
    found = problems({"listn": "x", "privacy": {"hidden_key": []}}, {"HOPSCOPE_DATBASE": "x"})
    assert found == {
        "listn": "is no setting; did you mean listen?",
        "privacy.hidden_key": "is no setting; did you mean privacy.hidden_keys?",
        "HOPSCOPE_DATBASE": "is no setting; did you mean HOPSCOPE_DATABASE?",
    }


def test_variables_that_kubernetes_sets_for_a_service_of_our_name_are_no_problem() -> None:
    env = {"HOPSCOPE_SERVICE_HOST": "10.0.0.1", "HOPSCOPE_PORT": "tcp://10.0.0.1:8080", "HOPSCOPE_PORT_80_TCP": "x"}
    assert build({}, env) == Settings()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_every_setting_has_a_working_variable(setting: object) -> None:
    values = {
        "api_key": STRONG, "import_dir": "/tmp", "allowed_origins": "https://a.example, https://b.example",
        "blocked_observers": "ab" * 32, "hashtags": "#test,#bot", "regions": "tirol", "channels": f"a={'00' * 16}",
        "region_labels": "INN=Innsbruck,MUC=München", "privacy.hidden_markers": "🚫, ⛔",
        "privacy.hidden_keys": "ab" * 32, "privacy.companion_decimals": "3", "privacy.request_senders": "true",
            "database": "x.db",
        "listen": "0.0.0.0:80", "title": "t", "log_level": "debug", "retention_days": "1", "stall_budget_ms": "20",
        "map.tiles_url": "https://t.example/{z}/{x}/{y}", "map.tiles_attribution": "©",
    }  # fmt: skip
    env = {setting.env: values[setting.key]}  # type: ignore[attr-defined]
    if setting.key == "map.tiles_url":  # type: ignore[attr-defined]
        env["HOPSCOPE_MAP_TILES_ATTRIBUTION"] = "©"
    if setting.key == "map.tiles_attribution":  # type: ignore[attr-defined]
        env["HOPSCOPE_MAP_TILES_URL"] = "https://t.example/{z}/{x}/{y}"
    assert build({}, env) != Settings()


def test_an_empty_variable_is_none() -> None:
    assert build({}, {"HOPSCOPE_API_KEY": "", "HOPSCOPE_DATABASE": "", "HOPSCOPE_MQTT_URL": ""}) == Settings()


@pytest.mark.parametrize(
    "weak",
    [
        "short", "your-secret-api-key-here", "changeme-changeme", "aaaaaaaaaaaaaaaaaaaaaaaa", "MySecretKey_password",
        "example-example1", "0123456789",
    ],
)  # fmt: skip
def test_a_weak_or_well_known_api_key_is_refused_and_not_repeated(weak: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build({}, {"HOPSCOPE_API_KEY": weak})
    assert weak not in str(caught.value)


def test_a_strong_api_key_is_taken() -> None:
    assert build({"api_key": STRONG}, {}).api_key == STRONG


@pytest.mark.parametrize(
    ("value", "words"),
    [("postgresql://db/x", "PostgreSQL yet"), ("mysql://x", "no database"), (":memory:", "two processes")],
)
def test_a_database_that_cannot_be_is_refused_with_what_to_do(value: str, words: str) -> None:
    assert words in problems({}, {"HOPSCOPE_DATABASE": value})["HOPSCOPE_DATABASE"]


def test_a_database_url_of_sqlite_is_a_path() -> None:
    assert build({}, {"HOPSCOPE_DATABASE": "sqlite:////var/lib/x.db"}).database == "/var/lib/x.db"


@pytest.mark.parametrize(
    ("value", "host", "port"), [("0.0.0.0:80", "0.0.0.0", 80), ("[::1]:8080", "::1", 8080), ("mesh:1", "mesh", 1)]
)
def test_listen_is_host_and_port(value: str, host: str, port: int) -> None:
    settings = build({}, {"HOPSCOPE_LISTEN": value})
    assert (settings.host, settings.port) == (host, port)


@pytest.mark.parametrize("value", ["8080", ":8080", "host:", "host:70000", "::1:80", "http://x:80"])
def test_listen_that_is_not_host_and_port_is_refused(value: str) -> None:
    assert list(problems({}, {"HOPSCOPE_LISTEN": value})) == ["HOPSCOPE_LISTEN"]


def test_a_broker_of_variables_takes_the_place_of_the_file_and_its_credentials_are_split_off() -> None:
    env = {"HOPSCOPE_MQTT_URL": "mqtts://me:p%40ss@broker.example", "HOPSCOPE_MQTT_QOS": "0"}
    (source,) = build({"sources": [{"name": "file", "url": "mqtt://x"}]}, env).sources
    assert source == MqttSource(name="mqtt", url="mqtts://broker.example:8883", username="me", password="p@ss", qos=0)


def test_sources_of_the_file_get_ports_names_and_defaults() -> None:
    tables = {"sources": [{"url": "mqtt://10.0.0.1"}, {"name": "b", "url": "wss://b.example/mqtt", "iata": ["inn"]}]}
    first, second = build(tables, {}).sources
    assert (first.name, first.url, first.topics) == ("mqtt-1", "mqtt://10.0.0.1:1883", MqttSource("", "").topics)
    assert (second.url, second.iata) == ("wss://b.example:443/mqtt", ("INN",))


def test_problems_of_sources_say_which_one_and_never_the_password() -> None:
    tables = {
        "sources": [
            {"url": "tcp://u:geheim@x"}, {"name": "b", "url": "mqtt://u:geheim@h", "username": "u"},
            {"name": "c", "url": "mqtt://h", "topics": ["a/#/b"], "qos": 2}, {"name": "c2"},
            {"name": "d", "url": "mqtt://h", "topcs": []}, {"name": "e", "url": "mqtts://h", "ca_file": "/none.pem"},
        ]
    }  # fmt: skip
    found = problems(tables)
    assert set(found) == {
        "sources[1].url", "sources[2].username", "sources[3].topics", "sources[3].qos", "sources[4].url",
        "sources[5].topcs", "sources[6].ca_file",
    }  # fmt: skip
    assert found["sources[5].topcs"] == "is no setting; did you mean topics?"
    assert "geheim" not in str(found)


def test_two_sources_of_one_name_are_refused() -> None:
    twice = {"sources": [{"name": "a", "url": "mqtt://h"}, {"name": "a", "url": "mqtt://i"}]}
    assert "'a'" in problems(twice)["sources"]


def test_variables_of_a_broker_without_its_address_are_a_problem() -> None:
    assert list(problems({}, {"HOPSCOPE_MQTT_USERNAME": "me"})) == ["HOPSCOPE_MQTT_URL"]


def test_channels_are_hashtags_and_keys_in_hex_or_base64() -> None:
    tables = {"hashtags": ["#test", "bot"], "channels": {"Hut": "izOH6cXN6mrJ5e26oRXNcg==", "Alm": "ab" * 32}}
    channels = {channel.name: channel.key.hex() for channel in build(tables, {}).channels}
    assert channels == {
        "#test": "9cd8fcf22a47333b591d96a2b848b73f",
        "#bot": "eb50a1bcb3e4e5d7bf69a57c9dada211",
        "Hut": "8b3387e9c5cdea6ac9e5edbaa115cd72",
        "Alm": "ab" * 32,
    }


def test_a_channel_key_of_another_size_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError) as caught:
        build({"channels": {"Hut": "c0ffee"}}, {})
    assert "c0ffee" not in str(caught.value)


def test_a_map_without_its_attribution_is_refused() -> None:
    url = "https://t.example/{z}/{x}/{y}.png"
    assert list(problems({"map": {"tiles_url": url}})) == ["map.tiles_attribution"]
    assert build({"map": {"tiles_url": url, "tiles_attribution": "©"}}, {}).tiles == MapTiles(url, "©")
    assert list(problems({"map": {"tiles_url": "https://t.example/", "tiles_attribution": "©"}})) == ["map.tiles_url"]


@pytest.mark.parametrize("wrong", [{"title": 7}, {"hashtags": "x"}, {"channels": []}, {"privacy": 3}, {"sources": {}}])
def test_a_value_of_the_wrong_type_is_a_problem_not_a_crash(wrong: dict[str, object]) -> None:
    assert set(problems(wrong)) == set(wrong)


def test_every_default_passes_its_own_check() -> None:
    for setting in (*SETTINGS, *SOURCE_SETTINGS):
        if setting.default is not None:
            setting.check(setting.default)
