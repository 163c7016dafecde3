"""The incident as one program with one connection: migration, writer and readers queue for it in their own process.

A pool of size one, or a driver that serialises, is the same thing.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rig.child import Parent, Sample, open_loop
from rig.database import connect, statements
from rig.readers import CONNECTIONS, PER_SECOND, Requests, out_of_step
from rig.writer import PER_SECOND as WRITES_PER_SECOND
from rig.writer import Reception


def main() -> None:
    parent = Parent()
    path, transmissions = parent.config["db"], parent.config["transmissions"]
    db, lock, over = connect(path), threading.Lock(), threading.Event()
    written: list[Sample] = []
    read: list[Sample] = []

    @contextmanager
    def turn() -> Iterator[None]:
        with lock:
            yield

    def write() -> None:
        written.extend(open_loop(WRITES_PER_SECOND, over, Reception(db, turn).store))

    def ask(number: int) -> None:
        requests = Requests(db, number, transmissions)

        def request() -> bool:
            with lock:
                return requests.next()

        read.extend(open_loop(PER_SECOND, over, request, after_s=out_of_step(number)))

    threads = [threading.Thread(target=write)]
    threads += [threading.Thread(target=ask, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    parent.ready()
    parent.wait_go()
    began = time.monotonic()
    with lock:
        db.execute(statements()["one_statement"])
        held_s, changed = time.monotonic() - began, db.changes()
    ended = time.monotonic()
    time.sleep(0.2)
    over.set()
    for thread in threads:
        thread.join()
    found = {"began": began, "ended": ended, "rows_changed": changed, "lock_hold_max_s": held_s}
    parent.report(found | {"live": written, "read": read})


if __name__ == "__main__":
    main()
