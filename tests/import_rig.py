"""What tests of imports share: a clock, keys, and how an import is asked for."""

import random
import time
from collections.abc import Callable
from pathlib import Path

from corescope_file import CoreScopeFile

from hopscope.store.imports import Import
from meshwire import PUBLIC_KEY, KeyRing, encode

KEYS = KeyRing.of(channels={"Public": PUBLIC_KEY})
NOW = 1_780_000_000_000  # ms, when imports begin
Importing = Callable[[Path], Import]
PACKETS, RECEPTIONS = 2_000, 16_000
OBSERVERS = [f"{n:02X}" * 32 for n in range(1, 9)]


def history(path: Path, receptions: int = RECEPTIONS) -> None:
    """Adverts and acknowledgements of the last days, heard again and again."""
    dice, file = random.Random(7), CoreScopeFile(path)
    file.db.execute("begin")
    file.db.execute("drop index idx_dedup")
    known = [file.observer(ident) for ident in OBSERVERS]
    seeds = [dice.randbytes(32) for _ in range(20)]
    now = int(time.time())
    packets = []
    for number in range(PACKETS):
        payload = (
            encode.advert(dice.choice(seeds), now - number, 2, name=f"node {number % 20}")
            if number % 5 == 0
            else encode.ack(number.to_bytes(4, "big"))
        )
        frame = encode.frame(1, 4 if number % 5 == 0 else 3, payload)
        packets.append(file.transmission(frame, now - 400_000 + number))
    for number in range(receptions):
        hops = [dice.randbytes(1).hex().upper() for _ in range(dice.randint(0, 6))]
        at = now - 300_000 + number * 290_000 // receptions
        file.observation(packets[number % PACKETS], dice.choice(known), at, hops)  # never twice within seconds
    file.db.execute("commit")
    file.close()
