"""The live readers: four read-only connections that ask for what an analyzer's pages show, at fixed times."""

import random
import threading

from history import END

from rig.child import Parent, open_loop
from rig.database import connect, statements

CONNECTIONS = 4
PER_SECOND = 25.0  # of each connection
ACTIVITY_S = 3 * 3600  # what "recently" means on the observers' page


def read(path: str, number: int, transmissions: int, stopped: threading.Event) -> list[tuple[float, float, bool]]:
    """One connection's life; what `open_loop` measured."""
    db, sql, rng = connect(path, read_only=True), statements(), random.Random(number)
    asked = 0

    def request() -> bool:
        """Of ten requests one is for the observers' page, three for the newest packets, six for one packet."""
        nonlocal asked
        asked += 1
        match asked % 10:
            case 0:
                db.execute(sql["observer_activity"], {"since": END - ACTIVITY_S}).fetchall()
            case 1 | 4 | 7:
                db.execute(sql["packet_list"]).fetchall()
            case _:
                db.execute(sql["packet_detail"], {"id": rng.randint(1, transmissions)}).fetchall()
        return True

    request()
    samples = open_loop(PER_SECOND, stopped, request)
    db.close()
    return samples


def main() -> None:
    parent = Parent()
    path, transmissions = parent.config["db"], parent.config["transmissions"]
    found: list[list[tuple[float, float, bool]]] = [[] for _ in range(CONNECTIONS)]

    def keep(number: int) -> None:
        found[number] = read(path, number, transmissions, parent.stopped)

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    parent.watch_stop()
    parent.ready()
    for thread in threads:
        thread.join()
    parent.report([sample for samples in found for sample in samples])


if __name__ == "__main__":
    main()
