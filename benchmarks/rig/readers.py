"""The live readers: four read-only connections that ask for what an analyzer's pages show, at fixed times."""

import random
import threading

import apsw
from history import END

from rig.child import Parent, Sample, open_loop
from rig.database import connect, statements

CONNECTIONS = 4
PER_SECOND = 25.0  # of each connection
ACTIVITY_S = 3 * 3600  # what "recently" means on the observers' page


class Requests:
    """What one connection asks: of ten requests one for the observers' page, three for lists, six for a packet."""

    def __init__(self, db: apsw.Connection, seed: int, transmissions: int) -> None:
        self._db, self._rng, self._transmissions = db, random.Random(seed), transmissions
        self._asked = seed * 3  # so that the connections do not ask for the same at the same time

    def next(self) -> bool:
        """One request, answered in full; False when the database stayed locked."""
        self._asked += 1
        match self._asked % 10:
            case 0:
                return self._select("observer_activity", {"since": END - ACTIVITY_S})
            case 1 | 4 | 7:
                return self._select("packet_list", {})
            case _:
                return self._select("packet_detail", {"id": self._rng.randint(1, self._transmissions)})

    def _select(self, name: str, params: dict[str, int]) -> bool:
        try:
            self._db.execute(statements()[name], params).fetchall()
        except apsw.BusyError:
            return False
        return True


def out_of_step(number: int) -> float:
    """Seconds by which a connection starts later than the first one."""
    return number / (CONNECTIONS * PER_SECOND)


def read(path: str, number: int, transmissions: int, stopped: threading.Event) -> list[Sample]:
    """One connection's life; what `open_loop` measured."""
    db = connect(path, read_only=True)
    requests = Requests(db, number, transmissions)
    samples = open_loop(PER_SECOND, stopped, requests.next, after_s=out_of_step(number))
    db.close()
    return samples


def main() -> None:
    parent = Parent()
    path, transmissions = parent.config["db"], parent.config["transmissions"]
    found: list[list[Sample]] = [[] for _ in range(CONNECTIONS)]

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
