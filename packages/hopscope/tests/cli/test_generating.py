"""`hopscope generate` writes files deterministically and publishes to real brokers until they have acknowledged."""

import json
import threading
from collections import Counter
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from brokers import Mosquitto, free_port
from click.testing import CliRunner, Result
from paho.mqtt.enums import CallbackAPIVersion

from hopscope.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["generate", *arguments])


def test_the_same_command_writes_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        result = run(
            "--seed", "4", "--count", "300", "--jsonl", str(tmp_path / name), "--truth", str(tmp_path / f"{name}.json")
        )
        assert result.exit_code == 0
        assert "300 records" in result.stderr
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    truth = json.loads((tmp_path / "a.json").read_text())
    assert truth["totals"]["records"] == 300
    assert truth["parameters"]["seed"] == 4


def test_the_start_can_be_given(tmp_path: Path) -> None:
    run("--count", "1", "--jsonl", str(tmp_path / "x"), "--start", "2026-05-01T12:00:00")
    assert json.loads((tmp_path / "x").read_text())["at"] == 1_777_636_800_000


@pytest.mark.parametrize("arguments", [(), ("--mqtt", "mqtt://x", "--jsonl", "y"), ("--jsonl", "y", "--count", "0")])
def test_a_command_without_one_destination_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_broker_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    port = free_port()
    result = run("--mqtt", f"mqtt://user:geheim@127.0.0.1:{port}")
    assert result.exit_code == 1
    assert f"mqtt://127.0.0.1:{port}: Connection refused" in result.stderr
    assert "geheim" not in result.output


def test_an_address_that_is_none_is_one_message() -> None:
    result = run("--mqtt", "broker.example")
    assert (result.exit_code, "no broker address" in result.stderr) == (1, True)


def test_a_file_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    assert run("--count", "1", "--jsonl", str(tmp_path / "no" / "x")).exit_code == 1


class Subscriber:
    """Counts what a broker hands out."""

    def __init__(self, broker: Mosquitto, expected: int) -> None:
        self.got: list[tuple[str, bytes]] = []
        self._expected = expected
        self.complete, subscribed = threading.Event(), threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port)
        self._client.subscribe("meshcore/#", qos=1)
        self._client.loop_start()
        assert subscribed.wait(10)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.got.append((message.topic, message.payload))
        if len(self.got) == self._expected:
            self.complete.set()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.mark.mosquitto
def test_two_brokers_together_hold_every_record(tmp_path: Path) -> None:
    run("--seed", "9", "--count", "1500", "--rate", "5000", "--jsonl", str(tmp_path / "x"))
    shares = Counter(json.loads(line)["broker"] for line in (tmp_path / "x").read_text().splitlines())
    for name in ("east", "west"):
        (tmp_path / name).mkdir()
    with Mosquitto(tmp_path / "east") as east, Mosquitto(tmp_path / "west") as west:
        subscribers = [Subscriber(broker, shares[number]) for number, broker in enumerate((east, west))]
        truth = tmp_path / "truth.json"
        result = run(
            "--seed", "9", "--count", "1500", "--rate", "5000", "--mqtt", east.url, "--mqtt", west.url,
            "--truth", str(truth),
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        assert all(subscriber.complete.wait(30) for subscriber in subscribers)
        for subscriber in subscribers:
            subscriber.close()
    assert json.loads(truth.read_text())["totals"]["records"] == 1500
    assert [len(subscriber.got) for subscriber in subscribers] == [shares[0], shares[1]]
