"""The plainest import there can be: read a row, take its bytes apart, insert it; a commit per 1,000 rows.

    python benchmarks/rig/bare.py SOURCE TARGET SECONDS

It recognises nothing, recounts nothing and waits for nobody: the rate that `upgrade` compares the real import with.
"""

import sys
import time

import apsw

from hopscope.store import connection, schema
from meshwire import decode


def bare_loop(source: str, target: str, seconds: float) -> float:
    """Rows a second. Newest first, as the import; stops after `seconds`."""
    store = connection.open_writer(target)
    schema.prepare(store)
    store.pragma("synchronous", "normal")
    store.pragma("foreign_keys", "off")
    store.execute("insert into sources (id, name, kind) values (1, 'bare', 'import')")
    db = apsw.Connection(source, flags=apsw.SQLITE_OPEN_READONLY)
    rows = db.execute(
        "select transmission_id, observer_idx, timestamp, snr, rssi, score, direction, raw_hex from observations "
        "order by id desc"
    )
    statement = (
        "insert into observations (transmission_id, observer_id, source_id, heard_at, snr, rssi, score, direction, "
        "head, path_len, path) values (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds and (batch := [row for _, row in zip(range(1_000), rows, strict=False)]):
        store.execute("begin immediate")
        for transmission, observer, at, snr, rssi, score, direction, raw in batch:
            packet = decode(bytes.fromhex(raw), verify=False)
            rounded = None if rssi is None else round(rssi)
            values = (transmission, observer, at * 1000, snr, rounded, score, int(direction == "tx"))
            store.execute(statement, (*values, packet.frame[:1], packet.path_len_byte, packet.path.raw))
        store.execute("commit")
        count += len(batch)
    took = time.monotonic() - began
    db.close()
    store.close()
    return count / took


if __name__ == "__main__":
    print(bare_loop(sys.argv[1], sys.argv[2], float(sys.argv[3])))
