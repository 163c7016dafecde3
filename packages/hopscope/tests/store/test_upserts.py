"""Rows of nodes and observers come out the same, whatever order their records come in."""

import hashlib
from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st

from hopscope.model import AdvertFacts, Heard, Info, PacketFacts, Reception, Stats, StatusReport
from hopscope.store.upserts import DAY_MS, NodeRow, ObserverRow, advertised, heard_by, newer, reported

T0 = 1_790_000_000_000
TIMES = st.integers(T0, T0 + 5)  # few values, so that ties come up
NAMES = st.sampled_from([None, "a", "b"])


def packet(clock: int, name: str | None, size: int) -> PacketFacts:
    digest = hashlib.sha256(f"{clock}{name}".encode()).digest()[:8]
    advert = AdvertFacts(pubkey=bytes(32), advert_at=clock, name=name, role=2, lat_e6=None, lon_e6=None)
    return PacketFacts(
        hash=digest,
        type=4,
        route=1,
        version=0,
        frame=b"",
        head=b"\x11",
        path_len=0,
        path=b"",
        payload_at=2,
        hop_count=0,
        hash_size=size,
        region=None,
        advert=advert,
    )


CLOCKS = st.sampled_from([0, T0 - 1, T0, T0 + 1, T0 + DAY_MS, T0 + DAY_MS + 3, T0 + 2 * DAY_MS, T0 + 30_000 * DAY_MS])
ADVERTS = st.lists(st.tuples(CLOCKS, NAMES, st.integers(1, 3), TIMES), min_size=1, max_size=7)


def node_after(adverts: list[tuple[int, str | None, int, int]]) -> dict[str, object]:
    row = NodeRow(1, bytes(32), adverts[0][3], adverts[0][3])
    seen: set[bytes] = set()
    for clock, name, size, at in adverts:
        heard = packet(clock, name, size)
        advertised(row, heard, at, first=heard.hash not in seen)
        seen.add(heard.hash)
    return asdict(row)


@given(ADVERTS.flatmap(lambda adverts: st.tuples(st.just(adverts), st.permutations(adverts))))
def test_adverts_commute(orders: tuple[list[tuple[int, str | None, int, int]], ...]) -> None:
    assert node_after(orders[0]) == node_after(orders[1])


@given(ADVERTS, TIMES)
def test_a_clock_ahead_never_blocks_a_plausible_advert(
    adverts: list[tuple[int, str | None, int, int]], at: int
) -> None:
    ahead = [advert for advert in adverts if advert[0] > advert[3] + DAY_MS]
    row = node_after([*ahead, (T0, "plausible", 1, at)])
    assert (row["name"], row["advert_at"]) == ("plausible", T0)


RECEPTION = Reception(
    source="home",
    observer="A1" * 32,
    observer_name=None,
    iata=None,
    heard_at=T0,
    published_at=None,
    clock_naive=False,
    frame=b"",
    snr=None,
    rssi=None,
    score=None,
)
RECEPTIONS = st.builds(
    lambda at, name, iata, skew, naive: Heard(
        replace(
            RECEPTION,
            heard_at=at,
            observer_name=name,
            iata=iata,
            published_at=None if skew is None else at + skew,
            clock_naive=naive,
        ),
        packet(T0, None, 1),
    ),
    TIMES,
    NAMES,
    st.sampled_from([None, "AMS", "SEA"]),
    st.sampled_from([None, -5, 0, 7]),
    st.booleans(),
)
REPORTS = st.builds(
    StatusReport,
    source=st.just("home"),
    observer=st.just("A1" * 32),
    observer_name=NAMES,
    iata=st.sampled_from([None, "AMS", "SEA"]),
    at=TIMES,
    published_at=st.sampled_from([None, T0]),
    clock_naive=st.booleans(),
    status=st.sampled_from([None, "online", "offline"]),
    info=st.none() | st.builds(Info, model=NAMES, radio=NAMES),
    stats=st.none()
    | st.builds(Stats, battery_mv=st.sampled_from([None, 1, 2]), noise_floor=st.sampled_from([None, -1.5])),
    retained=st.booleans(),
)
SPOKEN = st.lists(RECEPTIONS | REPORTS, min_size=1, max_size=7)


def observer_after(records: list[Heard | StatusReport]) -> dict[str, object]:
    at = records[0].reception.heard_at if isinstance(records[0], Heard) else records[0].at
    row = ObserverRow(1, at, at)
    for record in records:
        if isinstance(record, Heard):
            heard_by(row, record)
        else:
            reported(row, record)
    return asdict(row)


@given(SPOKEN.flatmap(lambda records: st.tuples(st.just(records), st.permutations(records))))
def test_what_observers_say_commutes(orders: tuple[list[Heard | StatusReport], ...]) -> None:
    assert observer_after(orders[0]) == observer_after(orders[1])


def test_the_newest_values_win_and_ties_have_one_winner() -> None:
    assert newer(2, ("a",), 1, ("b",))
    assert not newer(1, ("b",), 2, ("a",))
    assert newer(1, ("b",), 1, ("a",))
    assert not newer(1, (None,), 1, ("a",))
    assert newer(1, (None,), None, (None,))
