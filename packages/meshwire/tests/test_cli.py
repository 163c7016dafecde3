"""The command line as a user calls it: one answer per line, keys from options and files, no private key anywhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from meshwire import KeyPair, PayloadType, Route, encode

DATA = Path(__file__).parent / "data"
ROWS = [json.loads(line) for line in (DATA / "packets.jsonl").read_text().splitlines()]
ACK = "0D04B891647EBB40BA70"
SNOCO = "149748000000CA37F40824E44F7C4A819746C46D811FAA5745753B17ADE613E3A648ADF8CBF7C1B03B"
PUBLIC = "150011C3C1354D619BAE9590E4D177DB7EEAF982F5BDCF78005D75157D9535FA90178F785D"


def meshwire(
    *args: str, stdin: str | bytes = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    raw = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "meshwire.cli", *args], input=raw, capture_output=True, check=False, env=env
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def answer(*args: str) -> dict[str, object]:
    done = meshwire("decode", "--json", *args)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_a_file_of_packets_gives_one_json_line_each_as_expected() -> None:
    lines = "\n".join(row["hex"] for row in ROWS) + "\n"
    done = meshwire("decode", "--json", "--keys", str(DATA / "keys.jsonl"), "--region", "#snoco", "-", stdin=lines)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(ROWS)
    for row, found in zip(ROWS, answers, strict=True):
        if row["valid"]:
            group = found.get("group", {})
            if "channel" in group:
                group["channel"] = group["channel"].casefold()
            assert found == row["expected"], row["id"]
        else:
            assert found.keys() == {"error", "at"}, row["id"]


def test_every_input_line_gets_its_answer_also_a_hopeless_one() -> None:
    done = meshwire("decode", "--json", "-", stdin=b"\nzz\n15 0\n\xff\xfe\n" + ACK.encode() + b"\r\n" + b"A" * 100_000)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [found.get("error", "")[:7] for found in answers] == [
        "header ",
        "not hex",
        "not hex",
        "not hex",
        "",
        "payload",
    ]
    assert answers[2]["at"] == 1
    assert (done.returncode, done.stderr) == (0, "")


def test_a_rejected_frame_is_an_error_with_its_position() -> None:
    assert answer("15C1FF00") == {"error": "path hash size 4 is reserved", "at": 1}


def test_the_public_channel_is_known_from_the_start() -> None:
    assert answer(PUBLIC)["group"]["channel"] == "Public"  # type: ignore[index]


@pytest.mark.parametrize("name", ["#bot", "bot"])
def test_a_channel_is_added_by_name(name: str) -> None:
    assert answer("--channel", name, SNOCO)["group"]["channel"] == "#bot"  # type: ignore[index]


def test_a_channel_is_added_by_key() -> None:
    group = answer("--channel-key", "eb50a1bcb3e4e5d7bf69a57c9dada211", SNOCO)["group"]
    assert isinstance(group, dict)
    assert (group["channel"], group["text"]) == ("key CA", "HOWL🏷️: Ping")


@pytest.mark.parametrize("name", ["#snoco", "snoco"])
def test_a_region_is_added_by_name(name: str) -> None:
    assert answer("--region", name, SNOCO)["region"] == "#snoco"


def dm_keys(path: Path, ours: KeyPair, peer: bytes) -> str:
    rows = [
        {"type": "ed25519_keypair", "prv64": ours.private.hex(), "pub": ours.public.hex()},
        {"type": "contact", "pub": peer.hex()},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("ours", ["sender", "receiver"])
@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "text"])
def test_a_direct_message_is_opened_from_either_end_and_no_private_key_is_printed(
    ours: str, options: list[str], tmp_path: Path
) -> None:
    anna, bert = encode.key_pair(b"a" * 32), encode.key_pair(b"b" * 32)
    frame = encode.frame(Route.FLOOD, PayloadType.TXT_MSG, encode.direct_text(anna, bert.public, 5, "psst"))
    own, peer = (anna, bert) if ours == "sender" else (bert, anna)
    keys = dm_keys(tmp_path / "keys.jsonl", own, peer.public)
    done = meshwire("decode", *options, "--keys", keys, frame.hex())
    assert "psst" in done.stdout
    assert own.private.hex()[:16] not in (done.stdout + done.stderr).lower()
    if options:
        assert json.loads(done.stdout)["dm"] == {
            "sender_pubkey": anna.public.hex(),
            "receiver_pubkey": bert.public.hex(),
            "text": "psst",
        }


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--keys", "no-such-file", ACK], "No such file"),
        (["--channel-key", "zz", ACK], "--channel-key: not hex"),
        (["--channel-key", "00", ACK], "16 or 32 bytes"),
        (["--region", "$ours", ACK], "private"),
    ],
)
def test_a_wrong_key_is_one_line_on_stderr(args: list[str], problem: str) -> None:
    done = meshwire("decode", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_line_in_a_key_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys.jsonl"
    path.write_text('{"type": "contact"}\n')
    done = meshwire("decode", "--keys", str(path), ACK)
    assert done.stderr == f"meshwire: {path}: line 1: 'pub' is missing\n"


def test_text_has_the_values_and_the_byte_map() -> None:
    done = meshwire("decode", ACK)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["ACK by FLOOD, 10 bytes", "  hash: BBF95563C6EEC9FE"]
    assert done.stdout.splitlines()[-1].split() == ["6", "bb", "40", "ba", "70", "CRC"]


def test_a_rejected_frame_as_text_says_so_and_fails() -> None:
    done = meshwire("decode", "15")
    assert (done.returncode, done.stdout) == (1, "not a packet: path length needs 1 byte, 0 left (at byte 1)\n")


def test_colour_is_for_terminals_unless_asked_for() -> None:
    assert "\x1b[" not in meshwire("decode", ACK).stdout
    assert "\x1b[" not in meshwire("decode", "--color", "never", ACK).stdout
    assert "\x1b[36m" in meshwire("decode", "--color", "always", ACK).stdout


def test_an_emoji_does_not_end_us_on_an_ascii_terminal() -> None:
    done = meshwire("decode", "--channel", "bot", SNOCO, env={"PYTHONIOENCODING": "ascii", "PATH": ""})
    assert (done.returncode, done.stderr) == (0, "")
    assert "HOWL\\U0001f3f7" in done.stdout


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    program = [sys.executable, "-m", "meshwire.cli", "decode", "--json", "-"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdin.write(f"{ACK}\n".encode())
        running.stdin.flush()
        running.stdout.readline()
        running.stdout.close()
        running.stdin.write(f"{ACK}\n".encode())
        running.stdin.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 1
