"""Kinds of values: how each is written in an environment variable, and what a legal one is. Pure.

A check returns the value to use, or raises ValueError with the words that complete "NAME: …".
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import unquote, urlsplit

from hopscope.config.settings import MapTiles

MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
IATA = re.compile(r"[A-Z]{3}|TEST")
KEY_LENGTH = 16  # characters; below, an API key can be guessed
# Placeholders of published configurations, and words that guessers try first.
WELL_KNOWN = (
    "your-secret-api-key", "your-api-key", "change-me", "changeme", "replace-me", "secret-key", "my-secret", "example",
    "password", "passw0rd", "letmein", "corescope", "hopscope", "meshcore", "administrator", "test", "12345678",
    "0123456789", "abcdefgh", "qwerty", "correct-horse", "test-api-key",
)  # fmt: skip

Check = Callable[[Any], Any]


def text_list(text: str) -> list[str]:
    """ "a, b" as ["a", "b"]."""
    return [part.strip() for part in text.split(",") if part.strip()]


def text_table(text: str) -> dict[str, str]:
    """ "a=b, c=d" as {"a": "b", "c": "d"}."""
    pairs = [part.partition("=") for part in text_list(text)]
    if bad := [name for name, sign, _ in pairs if not sign]:
        raise ValueError(f"{bad[0]!r} has no value; entries look like name=value, with commas between them")
    return {name.strip(): value.strip() for name, _, value in pairs}


def text_integer(text: str) -> int:
    """Digits as a number."""
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def text_boolean(text: str) -> bool:
    """yes/no, true/false, on/off, 1/0."""
    words = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
    if text.lower() not in words:
        raise ValueError("must be true or false")
    return words[text.lower()]


def text_decimals(text: str) -> object:
    """A number, or the word itself."""
    return int(text) if text.isdigit() else text


def string(*, longest: int = 500) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("must be text")
        if len(value) > longest or not value.isprintable():
            raise ValueError(f"must be at most {longest} printable characters")
        return value

    return check


def strings(item: Check) -> Check:
    """A list of which every entry passes `item`."""

    def check(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise ValueError("must be a list of texts")
        return tuple(item(entry) for entry in value)

    return check


def integer(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("must be a whole number")
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high}")
        return value

    return check


def one_of(words: Collection[str]) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError("must be one of " + ", ".join(words))
        return value

    return check


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def database(value: Any) -> str:
    """A path, or sqlite:///PATH as one."""
    path = str(string()(value))
    if path.startswith("sqlite:///"):
        path = path.removeprefix("sqlite:///")
    scheme = path.partition("://")[0] if "://" in path else ""
    if scheme in ("postgresql", "postgres"):
        raise ValueError("hopscope cannot store in PostgreSQL yet; give the path of an SQLite file")
    if scheme:
        raise ValueError(f"{scheme}:// is no database that hopscope knows; give the path of an SQLite file")
    if path in ("", ":memory:"):
        raise ValueError("must be the path of a file: the writer and the API are two processes")
    return path


def listen(value: Any) -> tuple[str, int]:
    """(host, port) of "host:port"; an IPv6 host stands in brackets."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be host:port, as 127.0.0.1:8080 (0.0.0.0:8080 listens on every interface)")
    port = int(found[3])
    if not 1 <= port <= 65535:
        raise ValueError("the port must be from 1 to 65535")
    return found[1] or found[2], port


def api_key(value: Any) -> str:
    """A key that nobody guesses and a header can carry. The sentence of a refusal never repeats it."""
    key = str(string(longest=200)(value))
    plain = key.lower().replace("_", "-").replace(" ", "-")
    if any(word in plain and len(plain) < len(word) + KEY_LENGTH for word in WELL_KNOWN):
        raise ValueError("is a well-known word or placeholder; make one with: openssl rand -hex 24")
    if len(key) < KEY_LENGTH or len(set(key)) < 8:
        raise ValueError(
            f"is too weak: at least {KEY_LENGTH} characters, 8 of them different; try: openssl rand -hex 24"
        )
    if not (key.isascii() and key.isprintable()):
        raise ValueError("must be plain ASCII, because it travels in a header")
    return key


def channel_key(value: Any) -> bytes:
    """A channel's key of 16 or 32 bytes, from hex digits or base64."""
    text = str(string()(value)).strip()
    try:
        key = bytes.fromhex(text) if re.fullmatch(r"[0-9A-Fa-f]+", text) else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) not in (16, 32):
        raise ValueError("a channel key is 32 or 64 hex digits, or base64 of 16 or 32 bytes")
    return key


def channels(value: Any) -> dict[str, bytes]:
    if not isinstance(value, dict):
        raise ValueError('must be a table of name = "key"')
    return {_channel_name(name): channel_key(key) for name, key in value.items()}


def hashtag(value: Any) -> str:
    name = _channel_name(value)
    if name.startswith("$"):
        raise ValueError(f"{name!r} is private: its key does not follow from its name")
    return name if name.startswith("#") else "#" + name


def iata(value: Any) -> str:
    code = str(string()(value)).strip().upper()
    if not IATA.fullmatch(code):
        raise ValueError(f"{value!r} is no region code; one is three letters, as INN")
    return code


def region_labels(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise ValueError('must be a table of CODE = "label"')
    return tuple((iata(code), str(string(longest=60)(label))) for code, label in value.items())


def public_key(value: Any) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f]{64}", value):
        raise ValueError(f"{value!r} is no public key; one is 64 hex digits")
    return bytes.fromhex(value)


def observer(value: Any) -> str:
    return str(string(longest=64)(value)).upper()


def decimals(value: Any) -> int | None:
    if value == "exact":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 6:
        raise ValueError('must be from 0 to 6, or "exact"')
    return value


def origin(value: Any) -> str:
    parts = urlsplit(str(string()(value)))
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
        raise ValueError(f"{value!r} is no origin; one is scheme://host, as https://mesh.example.org")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def tiles_url(value: Any) -> str:
    url = str(string()(value))
    if urlsplit(url).scheme not in ("http", "https") or not all(part in url for part in ("{z}", "{x}", "{y}")):
        raise ValueError("must be an http(s) address with {z}, {x} and {y} in it")
    return url


def tiles(url: str | None, attribution: str | None) -> MapTiles | None:
    """Both or neither. Raises ValueError when the map would not say whose it is."""
    if url and not attribution:
        raise ValueError("is missing: say whose map it is (for OpenStreetMap: © OpenStreetMap contributors)")
    return MapTiles(url, attribution) if url and attribution else None


def broker_url(value: Any) -> tuple[str, str | None, str | None]:
    """(address with port and without credentials, user, password). Never repeats what could be a password."""
    example = "must be like mqtt://127.0.0.1:1883 (or mqtts://, ws://, wss://)"
    parts = urlsplit(str(string()(value)))
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{example}; the port is no number from 1 to 65535") from None
    if parts.scheme not in MQTT_PORTS or not parts.hostname:
        raise ValueError(example)
    if parts.path.strip("/") and parts.scheme in ("mqtt", "mqtts"):
        raise ValueError(f"{example}; a path belongs to ws:// and wss:// only")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{parts.scheme}://{host}:{port or MQTT_PORTS[parts.scheme]}{parts.path.rstrip('/')}"
    user, password = (None if part is None else unquote(part) for part in (parts.username or None, parts.password))
    return url, user, password


def topic_filter(value: Any) -> str:
    levels = str(string(longest=200)(value)).split("/")
    wrong = any(len(level) > 1 and ("+" in level or "#" in level) for level in levels) or "#" in levels[:-1]
    if wrong or levels == [""]:
        raise ValueError(f"{value!r} is no MQTT topic filter; one looks like meshcore/+/+/packets")
    return str(value)


def _channel_name(value: Any) -> str:
    name = str(string(longest=60)(value)).strip()
    if not name:
        raise ValueError("a name is empty")
    return name
