"""A client's queue: bounded, and honest when it overflows."""

import asyncio
from collections.abc import Callable

import pytest

from hopscope.live.hub import Event, Hub, Policy, Subscriber, Taken
from hopscope.live.tail import Position

HERE = Position("abcd", 9)


def event(number: int, kind: int = 4) -> Event:
    return Event(number, b"{}", kind, 1, b"", None, None, None, None)


def subscriber(
    depth: int = 3, policy: Policy = Policy.RESYNC, matches: Callable[[Event], bool] = lambda event: True
) -> Subscriber:
    return Subscriber(matches, depth=depth, policy=policy)


def take(client: Subscriber, most: int = 10) -> Taken:
    return asyncio.run(asyncio.wait_for(client.take(most), 1))


def ids(taken: Taken) -> list[int]:
    return [one.id for one in taken.events]


def test_events_come_in_order_and_at_most_as_many_as_asked_for() -> None:
    client = subscriber()
    client.offer([event(1), event(2), event(3)], HERE)
    first = take(client, 2)
    assert (ids(first), first.position) == ([1, 2], Position("abcd", 2))
    rest = take(client, 2)
    assert (ids(rest), rest.position) == ([3], HERE)


def test_a_slow_client_gets_one_resync_instead_of_a_backlog() -> None:
    client = subscriber(depth=2)
    for number in range(1, 4):
        client.offer([event(number)], Position("abcd", number))
    taken = take(client)
    assert (taken.resync, taken.events, taken.position) == (True, (), Position("abcd", 3))
    client.offer([event(4)], Position("abcd", 4))
    assert (take(client).resync, len(client._events)) == (False, 0)


def test_a_slow_client_of_the_old_kind_loses_the_oldest_without_a_word() -> None:
    client = subscriber(depth=2, policy=Policy.NEWEST)
    client.offer([event(1), event(2), event(3)], HERE)
    taken = take(client)
    assert (ids(taken), taken.resync) == ([2, 3], False)


def test_a_client_gets_only_what_it_asked_for() -> None:
    client = subscriber(matches=lambda event: event.type == 5)
    client.offer([event(1, 4), event(2, 5)], HERE)
    assert ids(take(client)) == [2]


def test_what_a_client_did_not_ask_for_does_not_fill_its_queue() -> None:
    client = subscriber(depth=1, matches=lambda event: event.type == 5)
    client.offer([event(number, 4) for number in range(9)] + [event(9, 5)], HERE)
    assert not take(client).resync


def test_one_slow_client_does_not_hold_up_another() -> None:
    hub, slow, quick = Hub(), subscriber(depth=1), subscriber(depth=9)
    hub.join(slow)
    hub.join(quick)
    hub.publish([event(1), event(2)], HERE)
    assert (take(slow).resync, ids(take(quick))) == (True, [1, 2])


def test_another_database_tells_everyone_to_begin_anew() -> None:
    hub, client = Hub(), subscriber()
    hub.join(client)
    hub.publish([event(1)], HERE)
    hub.restart(Position("beef", 0))
    taken = take(client)
    assert (taken.resync, taken.events, taken.position) == (True, (), Position("beef", 0))
    assert hub.position == Position("beef", 0)


def test_closing_the_hub_ends_a_waiting_client() -> None:
    async def scenario() -> Taken:
        hub, client = Hub(), subscriber()
        hub.join(client)
        waiting = asyncio.create_task(client.take(1))
        await asyncio.sleep(0)
        hub.close()
        return await asyncio.wait_for(waiting, 1)

    assert asyncio.run(scenario()).closed


def test_a_client_that_left_gets_nothing() -> None:
    hub, client = Hub(), subscriber()
    hub.join(client)
    hub.leave(client)
    hub.leave(client)
    hub.publish([event(1)], HERE)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(client.take(1), 0.01))
