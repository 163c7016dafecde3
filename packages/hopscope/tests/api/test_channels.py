"""/api/channels: channels and their messages."""

from collections.abc import Callable
from typing import Any

from meshes import FLOOD, GRP_TXT, MINUTE, SOUTH, T0, Mesh

from hopscope.config.settings import Channel, Privacy
from meshwire import encode, hashtag_key

Start = Callable[..., Any]


def texts(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [message["text"] for message in answer.json()["messages"]]


def test_messages_are_the_newest_in_the_order_they_were_heard(mesh: Mesh, start: Start) -> None:
    for number in range(5):
        mesh.say(f"m{number}", at=T0 + number * MINUTE)
    client = start()
    answer = client.get("/api/channels/Public/messages?limit=2")
    assert texts(answer) == ["m3", "m4"]
    assert answer.json()["total"] == 5
    assert texts(client.get("/api/channels/Public/messages?limit=2&offset=2")) == ["m1", "m2"]
    cursor = answer.json()["next_cursor"]
    assert texts(client.get(f"/api/channels/Public/messages?limit=9&cursor={cursor}")) == ["m0", "m1", "m2"]


def test_a_message_says_who_heard_it_and_how_often(mesh: Mesh, start: Start) -> None:
    mesh.say("hello")
    mesh.say("hello", by=SOUTH)
    message = start().get("/api/channels/Public/messages").json()["messages"][0]
    assert (message["repeats"], sorted(message["observers"])) == (2, ["North <b>tower</b>", "South"])
    assert (message["sender"], message["sender_timestamp"]) == ("Ann", T0 // 1000)


def test_messages_of_a_region_are_those_its_observers_heard(mesh: Mesh, start: Start) -> None:
    mesh.say("north")
    mesh.say("south", by=SOUTH, at=T0 + MINUTE)
    answer = start().get("/api/channels/Public/messages?region=PDX")
    assert (texts(answer), answer.json()["total"]) == (["south"], 1)


def test_a_channel_without_a_key_shows_only_when_asked_for_and_never_its_text(mesh: Mesh, start: Start) -> None:
    payload = encode.group_text(hashtag_key("#private"), T0 // 1000, "Ann", "secret")
    mesh.hear(encode.frame(FLOOD, GRP_TXT, payload))
    client = start()
    assert client.get("/api/channels").json()["channels"] == []
    channel = client.get("/api/channels?includeEncrypted=true").json()["channels"][0]
    assert (channel["encrypted"], channel["lastMessage"]) == (True, None)
    message = client.get(f"/api/channels/{channel['hash']}/messages").json()["messages"][0]
    assert (message["sender"], message["text"]) == ("", "")


def test_a_key_of_the_reader_opens_what_is_stored(mesh: Mesh, start: Start) -> None:
    key = hashtag_key("#club")
    mesh.hear(encode.frame(FLOOD, GRP_TXT, encode.group_text(key, T0 // 1000, "Ann", "hi")))
    client = start(channels=(Channel("#club", key),))
    channel = client.get("/api/channels?includeEncrypted=1").json()["channels"][0]
    assert texts(client.get(f"/api/channels/{channel['hash']}/messages")) == ["hi"]


def test_the_hash_sign_and_the_case_of_a_name_may_be_left_out(mesh: Mesh, start: Start) -> None:
    mesh.say("hello")
    client = start()
    for name in ("Public", "public", "PUBLIC"):
        assert texts(client.get(f"/api/channels/{name}/messages")) == ["hello"]


def test_an_unknown_channel_is_not_found(mesh: Mesh, start: Start) -> None:
    answer = start().get("/api/channels/%23nowhere/messages")
    assert (answer.status_code, answer.json()) == (404, {"error": "Not found"})


def test_the_last_message_of_a_hidden_sender_is_not_shown(mesh: Mesh, start: Start) -> None:
    mesh.say("hello", sender="shy 🚫")
    client = start(privacy=Privacy())
    channel = client.get("/api/channels").json()["channels"][0]
    assert (channel["lastMessage"], channel["lastSender"], channel["messageCount"]) == (None, None, 1)
    message = client.get("/api/channels/Public/messages").json()["messages"][0]
    assert (message["sender"], message["text"], message["hidden"]) == ("", "", True)
