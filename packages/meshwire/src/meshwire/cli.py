"""The command `meshwire`: frames in hex to readable text or JSON lines.

The only module that reads files, arguments and standard input. Never prints a private key.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from meshwire.crypto import channel_hash
from meshwire.errors import DecodeError
from meshwire.keys import PUBLIC_KEY, KeyRing
from meshwire.packet import Packet, decode
from meshwire.show import show

USAGE_ERROR = 2  # as argparse exits


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when everything was a packet, 1 when something was not, 2 for a wrong call."""
    args = _parser().parse_args(argv)
    try:
        keys = _keys(args)
    except (OSError, ValueError) as problem:
        print(f"meshwire: {problem}", file=sys.stderr)
        return USAGE_ERROR
    lines: Iterable[str] = sys.stdin if args.frame == "-" else [args.frame]
    write = _json_lines if args.json else _readable
    try:
        return write((line.strip() for line in lines if line.strip() or args.frame != "-"), keys)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; nobody wants a traceback about it
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="meshwire", description="Decode, verify and decrypt MeshCore radio frames.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    dec = commands.add_parser(
        "decode",
        help="decode frames given in hex",
        description="Decode frames given in hex. The channel Public is always known; the options add keys.",
    )
    dec.add_argument("frame", metavar="HEX", help="a frame in hex, or - to read one per line from standard input")
    dec.add_argument("--json", action="store_true", help="print one JSON line per frame")
    dec.add_argument("--channel", action="append", default=[], metavar="NAME", help="a hashtag channel, such as #test")
    dec.add_argument("--channel-key", action="append", default=[], metavar="HEX", help="a channel key, 16 or 32 bytes")
    dec.add_argument("--region", action="append", default=[], metavar="NAME", help="a region scope, such as #ottawa")
    dec.add_argument(
        "--keys",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="keys as JSON lines, see docs/protocol.md",
    )
    return parser


def _keys(args: argparse.Namespace) -> KeyRing:
    ring = KeyRing()
    for path in args.keys:
        try:
            ring += KeyRing.from_jsonl(path.read_text("utf-8").splitlines())
        except ValueError as problem:
            raise ValueError(f"{path}: {problem}") from None
    ring += KeyRing.of(channels=args.channel, regions=args.region)
    ring += KeyRing.of(channels=dict(_explicit(text) for text in args.channel_key))
    known = {channel.key for channel in ring.channels}
    return ring if PUBLIC_KEY in known else ring + KeyRing.of(channels=["Public"])


def _explicit(text: str) -> tuple[str, bytes]:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise ValueError("--channel-key: not hex") from None
    return f"key {channel_hash(key):02X}", key


def _json_lines(lines: Iterable[str], keys: KeyRing) -> int:
    failed = 0
    for line in lines:
        try:
            found = decode(_unhex(line), keys=keys).to_dict()
        except DecodeError as problem:
            failed, found = 1, {"error": problem.problem, "at": problem.at}
        print(json.dumps(found), flush=True)
    return failed


def _readable(lines: Iterable[str], keys: KeyRing) -> int:
    failed = 0
    for line in lines:
        try:
            packet: Packet = decode(_unhex(line), keys=keys, spans=True)
        except DecodeError as problem:
            failed = 1
            print(f"not a packet: {problem}")
        else:
            print(show(packet, colour=sys.stdout.isatty()))
    return failed


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as problem:
        # "non-hexadecimal number found in fromhex() arg at position 5": the position counts digits
        digits = "".join(str(problem).rpartition("position ")[2])
        raise DecodeError("not hex", at=int(digits) // 2 if digits.isdigit() else len(text) // 2) from None


if __name__ == "__main__":
    sys.exit(main())
