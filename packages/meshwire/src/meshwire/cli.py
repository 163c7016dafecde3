"""The command `meshwire`: frames in hex to readable text or JSON lines.

The only module that reads files, arguments and standard input. Never prints a private key.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path

from meshwire.crypto import channel_hash
from meshwire.errors import DecodeError
from meshwire.keys import PUBLIC_KEY, KeyRing
from meshwire.packet import decode
from meshwire.show import show

REJECTED, USAGE_ERROR, INTERRUPTED = 1, 2, 130  # 2 as argparse exits, 130 as shells say of Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns 0, or 1 when a frame shown as text was rejected, or 2 for a wrong call. With --json a rejected frame is an
    answer like any other, and the result is 0.
    """
    args = _parser().parse_args(argv)
    try:
        keys = _keys(args)
    except (OSError, ValueError) as problem:
        print(f"meshwire: {problem}", file=sys.stderr)
        return USAGE_ERROR
    lines = _stdin_lines() if args.frame == "-" else [args.frame]
    try:
        if args.json:
            return _json_lines(lines, keys)
        return _readable(lines, keys, colour=_wants_colour(args.color))
    except BrokenPipeError:
        # Whoever read our output has gone; without this Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REJECTED
    except KeyboardInterrupt:
        return INTERRUPTED


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
    dec.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colour of the byte map; auto: on a terminal, unless NO_COLOR is set",
    )
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


def _stdin_lines() -> Iterator[str]:
    """Every line, also an empty one: each input line gets its answer, so that callers can count."""
    for line in sys.stdin.buffer:
        yield line.decode("ascii", "replace").strip()


def _json_lines(lines: Iterable[str], keys: KeyRing) -> int:
    for line in lines:
        try:
            found = decode(_unhex(line), keys=keys).to_dict()
        except DecodeError as problem:
            found = {"error": problem.problem, "at": problem.at}
        print(json.dumps(found), flush=True)
    return 0


def _readable(lines: Iterable[str], keys: KeyRing, *, colour: bool) -> int:
    result = 0
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an emoji in a name must not end us on an ASCII terminal
    for line in lines:
        try:
            packet = decode(_unhex(line), keys=keys, spans=True)
        except DecodeError as problem:
            result = REJECTED
            print(f"not a packet: {problem}", flush=True)
        else:
            print(show(packet, colour=colour), flush=True)
    return result


def _wants_colour(choice: str) -> bool:
    if choice == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return choice == "always"


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        good = _HEX_PAIRS.match(text)
        at = len(bytes.fromhex(good[0])) if good else 0
        raise DecodeError("not hex: two digits per byte are needed", at=at) from None


_HEX_PAIRS = re.compile(r"(?:[ ]*[0-9A-Fa-f]{2})*")


if __name__ == "__main__":
    sys.exit(main())
