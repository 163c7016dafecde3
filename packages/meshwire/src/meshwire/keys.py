"""The keys a reader knows: channels, regions, contacts and private keys, and finding the one that fits.

Holds and matches keys; reads no file, prints no secret.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from meshwire.crypto import (
    channel_hash,
    hashtag_key,
    montgomery,
    open_sealed,
    region_key,
    shared_secret,
    transport_code,
    x25519_public,
)

PUBLIC_KEY = bytes.fromhex("8b3387e9c5cdea6ac9e5edbaa115cd72")
"""Key of the channel "Public" that every node has from the start."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel whose messages can be read. `key` is 16 or 32 bytes."""

    name: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) not in (16, 32):
            raise ValueError(f"channel {self.name!r}: a key has 16 or 32 bytes, not {len(self.key)}")

    @property
    def hash(self) -> int:
        """The byte that names the channel on the air."""
        return channel_hash(self.key)


@dataclass(frozen=True, slots=True)
class Region:
    """A region scope that transport codes can be matched against. `key` is 16 bytes."""

    name: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != 16:
            raise ValueError(f"region {self.name!r}: a key has 16 bytes, not {len(self.key)}")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A node whose direct messages can be read: its public key (32 bytes) and expanded private key (64 bytes)."""

    public: bytes
    private: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.public) != 32 or len(self.private) != 64:
            raise ValueError("a key pair has a public key of 32 and an expanded private key of 64 bytes")
        if x25519_public(self.private) != montgomery(self.public):
            raise ValueError(f"key pair {self.public.hex()[:8]}: the private key does not belong to the public key")


@dataclass(frozen=True, slots=True)
class Opened:
    """Plaintext of a direct message and the two ends whose secret opened it (public keys, 32 bytes each)."""

    sender: bytes
    receiver: bytes
    plain: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Everything known that helps to read packets. Build it with `KeyRing.of` or `KeyRing.from_jsonl`."""

    channels: tuple[Channel, ...] = ()
    regions: tuple[Region, ...] = ()
    contacts: tuple[bytes, ...] = ()
    key_pairs: tuple[KeyPair, ...] = ()
    _by_hash: dict[int, tuple[Channel, ...]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for contact in self.contacts:
            if len(contact) != 32:
                raise ValueError(f"a contact's public key has 32 bytes, not {len(contact)}")
        for channel in self.channels:
            self._by_hash[channel.hash] = (*self._by_hash.get(channel.hash, ()), channel)

    @classmethod
    def of(
        cls,
        *,
        channels: Mapping[str, bytes] | Iterable[str] = (),
        regions: Mapping[str, bytes] | Iterable[str] = (),
        contacts: Iterable[bytes] = (),
        key_pairs: Iterable[KeyPair | tuple[bytes, bytes]] = (),
    ) -> "KeyRing":
        """Keys by name.

        channels: {name: key of 16 or 32 bytes}, or names alone: "Public", and hashtags whose key derives from them.
        regions: names, or {name: key of 16 bytes} for private ones. contacts: public keys of known peers.
        key_pairs: KeyPair or (public key, expanded private key). Raises ValueError for a key of the wrong size.
        """
        return cls(
            channels=tuple(_channels(channels)),
            regions=tuple(_regions(regions)),
            contacts=tuple(bytes(contact) for contact in contacts),
            key_pairs=tuple(pair if isinstance(pair, KeyPair) else KeyPair(*pair) for pair in key_pairs),
        )

    @classmethod
    def from_jsonl(cls, lines: Iterable[str]) -> "KeyRing":
        """Keys from JSON lines: one object per line, its `type` one of channel_key {name, key}, flood_scope_key
        {name, key}, ed25519_keypair {prv64, pub}, contact {pub}; keys in hex. A `key` may be missing when it derives
        from the name. Raises ValueError with the line's number; no secret is in the message.
        """
        ring = cls()
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    ring += _from_row(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError) as problem:
                    raise ValueError(f"line {number}: {_explain(problem)}") from None
        return ring

    def __add__(self, other: "KeyRing") -> "KeyRing":
        """Both rings' keys, each once."""
        return KeyRing(
            channels=tuple(dict.fromkeys(self.channels + other.channels)),
            regions=tuple(dict.fromkeys(self.regions + other.regions)),
            contacts=tuple(dict.fromkeys(self.contacts + other.contacts)),
            key_pairs=tuple(dict.fromkeys(self.key_pairs + other.key_pairs)),
        )

    def open_channel(self, hash_byte: int, tag: bytes, ciphertext: bytes) -> Iterator[tuple[Channel, bytes]]:
        """Channels whose MAC fits, with the plaintext. Two bytes of MAC fit by chance once in 65,536: check it."""
        for channel in self._by_hash.get(hash_byte, ()):
            plain = open_sealed(channel.key, tag, ciphertext)
            if plain is not None:
                yield channel, plain

    def open_direct(self, dst: int, src: int, tag: bytes, ciphertext: bytes) -> Iterator[Opened]:
        """Plaintexts of a packet between one of our key pairs and a known peer, in either direction."""
        for pair in self.key_pairs:
            for peer in self._peers_of(pair):
                for sender, receiver in ((peer, pair.public), (pair.public, peer)):
                    if (receiver[0], sender[0]) == (dst, src):
                        plain = _open_with(pair, peer, tag, ciphertext)
                        if plain is not None:
                            yield Opened(sender, receiver, plain)

    def open_anonymous(self, dst: int, sender: bytes, tag: bytes, ciphertext: bytes) -> Iterator[Opened]:
        """Plaintexts of a packet that carries its sender's public key."""
        for pair in self.key_pairs:
            if pair.public[0] == dst:
                plain = _open_with(pair, sender, tag, ciphertext)
                if plain is not None:
                    yield Opened(sender, pair.public, plain)
            if pair.public == sender:
                for peer in self._peers_of(pair):
                    plain = _open_with(pair, peer, tag, ciphertext) if peer[0] == dst else None
                    if plain is not None:
                        yield Opened(sender, peer, plain)

    def match_region(self, code: int, payload_type: int, payload: bytes) -> str | None:
        """Name of the first region whose transport code for this payload is `code`. One HMAC per region."""
        for region in self.regions:
            if transport_code(region.key, payload_type, payload) == code:
                return region.name
        return None

    def _peers_of(self, pair: KeyPair) -> Iterator[bytes]:
        others = (other.public for other in self.key_pairs)
        return (peer for peer in dict.fromkeys((*self.contacts, *others)) if peer != pair.public)


EMPTY_KEYS = KeyRing()


def _open_with(pair: KeyPair, peer: bytes, tag: bytes, ciphertext: bytes) -> bytes | None:
    secret = shared_secret(pair.private, peer)
    return None if secret is None else open_sealed(secret, tag, ciphertext)


def _channels(channels: Mapping[str, bytes] | Iterable[str]) -> Iterator[Channel]:
    if isinstance(channels, Mapping):
        for name, key in channels.items():
            yield Channel(name, bytes(key))
    else:
        for name in channels:
            yield _named_channel(name)


def _named_channel(name: str) -> Channel:
    if name.casefold() == "public":
        return Channel("Public", PUBLIC_KEY)
    return Channel(name if name.startswith("#") else f"#{name}", hashtag_key(name))


def _regions(regions: Mapping[str, bytes] | Iterable[str]) -> Iterator[Region]:
    if isinstance(regions, Mapping):
        for name, key in regions.items():
            yield Region(name, bytes(key))
    else:
        for name in regions:
            yield Region(name if name.startswith("#") else f"#{name}", region_key(name))


def _from_row(row: dict[str, str]) -> KeyRing:
    kind = row["type"]
    if kind == "channel_key":
        channel = Channel(row["name"], bytes.fromhex(row["key"])) if "key" in row else _named_channel(row["name"])
        return KeyRing(channels=(channel,))
    if kind == "flood_scope_key":
        return KeyRing.of(regions={row["name"]: bytes.fromhex(row["key"])} if "key" in row else [row["name"]])
    if kind == "ed25519_keypair":
        return KeyRing.of(key_pairs=[(bytes.fromhex(row["pub"]), bytes.fromhex(row["prv64"]))])
    if kind == "contact":
        return KeyRing.of(contacts=[bytes.fromhex(row["pub"])])
    raise ValueError(f"unknown type {kind!r}")


def _explain(problem: Exception) -> str:
    if isinstance(problem, json.JSONDecodeError):
        return "not a JSON object"
    if isinstance(problem, KeyError):
        return f"{problem.args[0]!r} is missing"
    if isinstance(problem, ValueError):
        return str(problem)
    return "not an object of strings"
