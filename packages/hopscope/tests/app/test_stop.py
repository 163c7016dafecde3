"""A stop token keeps its first reason and ends every wait."""

import threading

from hopscope.app.stop import StopToken


def test_the_first_reason_stays() -> None:
    stop = StopToken()
    assert (stop.is_set(), stop.reason, stop.wait(0)) == (False, None, False)
    stop.set("SIGTERM")
    stop.set("SIGINT")
    assert (stop.is_set(), stop.reason, stop.wait(0)) == (True, "SIGTERM", True)


def test_a_wait_ends_when_the_token_is_set() -> None:
    stop = StopToken()
    setter = threading.Thread(target=stop.set, args=("now",))
    waiter = threading.Thread(target=stop.wait)
    waiter.start()
    setter.start()
    waiter.join(10)
    setter.join()
    assert not waiter.is_alive()
