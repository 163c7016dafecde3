"""What the generator's publisher knows about the brokers it publishes to."""

from itertools import islice
from pathlib import Path

import pytest
from brokers import Mosquitto

from hopscope.generate import Pace, Simulation
from hopscope.generate.publish import Broker, PublishError, publish

pytestmark = pytest.mark.mosquitto
RECORDS = tuple(islice(Simulation(1, Pace(1_750_000_000_000, 100.0)), 5))


def test_what_is_published_was_acknowledged_by_the_broker(tmp_path: Path) -> None:
    sent: list[int] = []
    with Mosquitto(tmp_path) as mosquitto, Broker(mosquitto.url) as broker:
        publish(RECORDS, [broker], wait_until=lambda _: None, published=lambda record: sent.append(record.index))
    assert sent == [0, 1, 2, 3, 4]


def test_a_broker_that_refuses_a_record_is_not_taken_to_have_it(tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic read #\n")
    rules.chmod(0o600)
    options = ("allow_anonymous true", f"acl_file {rules}")
    with (
        Mosquitto(tmp_path, options) as mosquitto,
        Broker(mosquitto.url) as broker,
        pytest.raises(PublishError, match="Not authorized"),
    ):
        publish(RECORDS, [broker], wait_until=lambda _: None, published=lambda _: None)
