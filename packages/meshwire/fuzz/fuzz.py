"""Mutate known frames and look for one that breaks decode's promise.

    python packages/meshwire/fuzz/fuzz.py --hours 1

Owns the mutations and what counts as broken. A finding is written to fuzz/findings/ and ends the run with 1.
"""

import argparse
import json
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from meshwire import DecodeError, KeyRing, Packet, channel_hash, decode, encode, packet_hash
from meshwire.crypto import seal, shared_secret
from meshwire.show import show

HERE = Path(__file__).parent
MAX_POOL = 20_000  # frames kept because they did something new; far more than there are kinds of outcome
_OWN, _PEER = encode.key_pair(b"\1" * 32), encode.key_pair(b"\2" * 32)
KEYS = KeyRing.of(
    channels={"Public": bytes.fromhex("8b3387e9c5cdea6ac9e5edbaa115cd72"), "zero": bytes(16), "long": bytes(32)},
    regions=["#snoco", "#ottawa"],
    key_pairs=[_OWN],
    contacts=[_PEER.public],
)


def check(frame: bytes) -> str:
    """Decode every way there is and compare; raise whatever is wrong. Returns what kind of outcome it was."""
    plain, mapped = _decode(frame, spans=False), _decode(frame, spans=True)
    if isinstance(plain, DecodeError) or isinstance(mapped, DecodeError):
        return _check_rejected(frame, plain, mapped)
    if (plain.payload, plain.hash, plain.region) != (mapped.payload, mapped.hash, mapped.region):
        raise AssertionError("recording the byte map changed a value")
    if plain.hash != packet_hash(plain.payload_type, plain.payload_raw, plain.path_len_byte):
        raise AssertionError("the hash is not that of type and payload")
    at = 0
    for span in mapped.spans:
        if span.start != at or span.end <= at:
            raise AssertionError(f"the byte map has a gap or an overlap at {at}")
        at = span.end
    if at != len(frame):
        raise AssertionError(f"the byte map ends at {at} of {len(frame)}")
    text = show(mapped, colour=False)
    if any(ord(c) < 32 and c != "\n" for c in text):
        raise AssertionError("a control character reached the terminal")
    found = json.loads(json.dumps(plain.to_dict()))
    return f"{plain.payload_type.name} {plain.route.name} {sorted(_leaves(found))}"


def _decode(frame: bytes, *, spans: bool) -> Packet | DecodeError:
    try:
        return decode(frame, keys=KEYS, spans=spans)
    except DecodeError as rejected:
        return rejected


def _check_rejected(frame: bytes, plain: Packet | DecodeError, mapped: Packet | DecodeError) -> str:
    if not isinstance(plain, DecodeError) or not isinstance(mapped, DecodeError) or plain.args != mapped.args:
        raise AssertionError(f"with and without byte map: {plain!r}, {mapped!r}")
    if not 0 <= plain.at <= len(frame) or "\n" in str(plain):
        raise AssertionError(f"not one line with a position in the frame: {plain!r}")
    return re.sub(r"\d+", "n", plain.problem)


def _leaves(found: dict[str, object]) -> set[str]:
    inner = {key for value in found.values() if isinstance(value, dict) for key in value}
    return inner | {key for key, value in found.items() if isinstance(value, dict)}


def flip(frame: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if frame:
            frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)


def poke(frame: bytearray, rng: random.Random) -> None:
    if frame:
        frame[rng.randrange(len(frame))] = rng.choice((0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF, rng.randrange(256)))


def cut(frame: bytearray, rng: random.Random) -> None:
    del frame[rng.randrange(len(frame) + 1) :]


def drop(frame: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(frame) + 1)
    del frame[at : at + rng.choice((1, 2, 4, 16))]


def grow(frame: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(frame) + 1)
    frame[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16, 60)))


def retype(frame: bytearray, rng: random.Random) -> None:
    if frame:
        frame[0] = rng.randrange(64)


def reseal(frame: bytearray, rng: random.Random) -> None:
    """A channel message with a right MAC and any plaintext: bytes that only a key holder can send."""
    key = rng.choice(KEYS.channels).key
    plain = rng.randbytes(rng.choice((5, 16, 32, 160))) if rng.random() < 0.5 else bytes(5) + bytes(frame[:100])
    payload = bytes((channel_hash(key),)) + seal(key, plain)
    frame[:] = bytes((rng.choice((0x15, 0x19)), 0)) + payload


def readdress(frame: bytearray, rng: random.Random) -> None:
    """A direct message with a right MAC and any plaintext."""
    kind = rng.choice((0, 1, 2, 8))
    secret = shared_secret(_PEER.private, _OWN.public) or bytes(32)
    sealed = seal(secret, rng.randbytes(rng.choice((5, 16, 48))) if rng.random() < 0.7 else bytes(frame[:60]) + b".")
    frame[:] = bytes((kind << 2 | 1, 0)) + _OWN.public[:1] + _PEER.public[:1] + sealed


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip, flip, poke, poke, cut, drop, grow, retype, reseal, readdress,
)  # fmt: skip


def seeds() -> list[bytes]:
    return [bytes.fromhex(line) for line in (HERE / "corpus.txt").read_text("ascii").split("\n") if line[:1] != "#"]


def fuzz(rng: random.Random, *, running: Callable[[int], bool]) -> tuple[int, set[str]]:
    """Rounds done and the kinds of outcome seen. Raises the first finding, its frame in a note."""
    pool = seeds()
    kinds = {guarded(frame) for frame in pool}
    rounds = 0
    while running(rounds):
        rounds += 1
        frame = bytearray(rng.choice(pool))
        for _ in range(rng.choice((1, 1, 2, 5))):
            rng.choice(MUTATIONS)(frame, rng)
        kind = guarded(bytes(frame))
        if kind not in kinds:
            kinds.add(kind)
            if len(pool) < MAX_POOL:
                pool.append(bytes(frame))
    return rounds, kinds


def guarded(frame: bytes) -> str:
    try:
        return check(frame)
    except Exception as finding:
        finding.add_note(f"frame {frame.hex()}")
        finding.frame = frame  # type: ignore[attr-defined]  # for main, which writes it to a file
        raise


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Look for bytes that break meshwire.decode's promise.")
    parser.add_argument("--hours", type=float, default=1.0, help="how long to run (default 1)")
    parser.add_argument("--rounds", type=int, default=None, help="stop after this many frames instead")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run; printed at its start")
    args = parser.parse_args(argv)
    seed = random.SystemRandom().randrange(2**32) if args.seed is None else args.seed
    end = time.monotonic() + args.hours * 3600
    print(f"seed {seed}, {len(seeds())} frames in the corpus", flush=True)

    def running(rounds: int) -> bool:
        if rounds and rounds % 100_000 == 0:
            print(f"{rounds} frames", flush=True)
        return time.monotonic() < end if args.rounds is None else rounds < args.rounds

    try:
        rounds, kinds = fuzz(random.Random(seed), running=running)
    except Exception as finding:  # noqa: BLE001 - whatever it is, it is what we were looking for
        frame = getattr(finding, "frame", b"")
        path = HERE / "findings" / f"{packet_hash(0, frame, 0).hex()}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{frame.hex()}\n# {finding!r}\n")
        print(f"{finding!r}\nwritten to {path}; look at it with: meshwire decode {frame.hex()}", file=sys.stderr)
        return 1
    print(f"{rounds} frames, {len(kinds)} kinds of outcome, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
