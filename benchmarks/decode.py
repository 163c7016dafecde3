"""Frames per second of meshwire beside pymc_core and meshcoredecoder, over the packet file, in one run.

    python benchmarks/decode.py [--rounds 15] [--json FILE]

The contestants take turns in every round; what counts is the ratio within a round, of which the median is shown.
"""

import argparse
import contextlib
import io
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from meshcoredecoder.crypto.key_manager import MeshCoreKeyStore
from meshcoredecoder.decoder.packet_decoder import MeshCorePacketDecoder
from meshcoredecoder.types.crypto import DecryptionOptions
from nacl.exceptions import RuntimeError as NaClRuntimeError
from pymc_core.protocol.crypto import CryptoUtils
from pymc_core.protocol.identity import Identity
from pymc_core.protocol.packet import Packet

from meshwire import PUBLIC_KEY, GroupText, KeyRing, PayloadType, channel_hash, decode, hashtag_key

PACKETS = Path(__file__).parent.parent / "packages/meshwire/tests/data/packets.jsonl"
CHANNELS = {"Public": PUBLIC_KEY} | {
    f"#{name}": hashtag_key(f"#{name}")
    for name in ("test", "bot", "six77", "aa", "testing", "wardriving", "emergency", "weather", "local")
}
KEYS = KeyRing.of(channels=CHANNELS)
TURN_S = 0.1  # one contestant's share of a round: far above the clock's grain, far below a change of CPU frequency

Run = Callable[[], None]


def contestants(frames: Sequence[bytes]) -> dict[str, dict[str, Run]]:
    """What each library does with all frames, by task."""
    hexes = [frame.hex() for frame in frames]
    secrets = {"channel_secrets": [key.hex() for key in CHANNELS.values()]}
    opened = DecryptionOptions(key_store=MeshCoreKeyStore(secrets))
    by_hash = {channel_hash(key): key for key in CHANNELS.values()}

    def meshwire_parse() -> None:
        for frame in frames:
            decode(frame, verify=False)

    def meshwire_full() -> None:
        for frame in frames:
            decode(frame, keys=KEYS)

    def meshwire_map() -> None:
        for frame in frames:
            decode(frame, verify=False, spans=True)

    def pymc_parse() -> None:
        for frame in frames:
            packet = Packet()
            packet.read_from(frame)
            packet.calculate_packet_hash()

    def pymc_full() -> None:
        for frame in frames:
            packet = Packet()
            packet.read_from(frame)
            packet.calculate_packet_hash()
            _pymc_open(packet, by_hash)

    def meshcoredecoder_parse() -> None:
        for text in hexes:
            MeshCorePacketDecoder.decode(text)

    def meshcoredecoder_full() -> None:
        for text in hexes:
            MeshCorePacketDecoder.decode_with_verification(text, opened)

    return {
        "parse and hash": {
            "meshwire": meshwire_parse,
            "pymc_core": pymc_parse,
            "meshcoredecoder": meshcoredecoder_parse,
            "meshwire with byte map": meshwire_map,
        },
        "with signatures and 10 channel keys": {
            "meshwire": meshwire_full,
            "pymc_core": pymc_full,
            "meshcoredecoder": meshcoredecoder_full,
        },
    }


def _pymc_open(packet: Packet, by_hash: dict[int, bytes]) -> None:
    """What pymc_core's own handlers do with an advert and a channel text."""
    kind, payload = packet.get_payload_type(), packet.get_payload()
    if kind == PayloadType.ADVERT:
        with contextlib.suppress(NaClRuntimeError):  # its way to say that the key of a damaged advert is no point
            Identity(payload[:32]).verify(payload[:36] + payload[100:132], payload[36:100])
    elif kind in (PayloadType.GRP_TXT, PayloadType.GRP_DATA) and payload[0] in by_hash:
        key = by_hash[payload[0]]
        CryptoUtils.mac_then_decrypt(key, key + bytes(32 - len(key)), payload[1:])


def measure(runs: dict[str, Run], frames: int, rounds: int) -> dict[str, list[float]]:
    """Frames per second of each contestant, one figure per round."""
    loops = {name: _loops(run) for name, run in runs.items()}
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        # Each round starts with another contestant, so that none always runs on a warm or a throttled CPU.
        names = list(runs)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            start = time.perf_counter()
            for _ in range(loops[name]):
                runs[name]()
            found[name].append(frames * loops[name] / (time.perf_counter() - start))
    return found


def _loops(run: Run) -> int:
    run()
    start = time.perf_counter()
    run()
    return max(1, round(TURN_S / (time.perf_counter() - start)))


def crypto_costs(frames: Sequence[bytes]) -> dict[str, float]:
    """Microseconds that one signature check and one channel message add to a decode."""
    adverts = [frame for frame in frames if decode(frame, verify=False).payload_type is PayloadType.ADVERT]
    texts = [frame for frame in frames if isinstance(p := decode(frame, keys=KEYS).payload, GroupText) and p.message]

    def each(of: Sequence[bytes], *, keys: KeyRing, verify: bool) -> float:
        best = float("inf")
        for _ in range(20):
            start = time.perf_counter()
            for frame in of:
                decode(frame, keys=keys, verify=verify)
            best = min(best, time.perf_counter() - start)
        return best / len(of) * 1e6

    nothing = KeyRing()
    return {
        "signature check": each(adverts, keys=nothing, verify=True) - each(adverts, keys=nothing, verify=False),
        "channel message": each(texts, keys=KEYS, verify=False) - each(texts, keys=nothing, verify=False),
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of which the median counts (default 15)")
    parser.add_argument("--packets", type=Path, default=PACKETS, help="JSON lines with hex and valid")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    args = parser.parse_args(argv)
    rows = [json.loads(line) for line in args.packets.read_text("utf-8").splitlines()]
    frames = [bytes.fromhex(row["hex"]) for row in rows if row["valid"]]
    print(
        f"{len(frames)} packets, {platform.python_implementation()} {platform.python_version()}, {args.rounds} rounds"
    )
    report: dict[str, object] = {"packets": len(frames), "rounds": args.rounds, "python": platform.python_version()}
    for task, runs in contestants(frames).items():
        print(f"\n{task}")
        with contextlib.redirect_stdout(io.StringIO()):  # meshcoredecoder prints a line per wrong signature
            rates = measure(runs, len(frames), args.rounds)
        report[task] = _report(rates)
    costs = crypto_costs(frames)
    print("\nadded per packet: " + ", ".join(f"{name} {cost:.1f} µs" for name, cost in costs.items()))
    report["added_us"] = {name: round(cost, 2) for name, cost in costs.items()}
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def _report(found: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    ours = found["meshwire"]
    table = {}
    for name, rates in found.items():
        ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, rates, strict=True))
        table[name] = {"frames_per_s": round(statistics.median(rates)), "meshwire_is_times": round(ratio, 2)}
        times = "" if name == "meshwire" else f"   meshwire is {ratio:.2f}x"
        print(f"  {name:24}{table[name]['frames_per_s']:>9,} frames/s{times}")
    return table


if __name__ == "__main__":
    sys.exit(main())
