"""A child that ended is restarted with back-off, unless it says that this will not help."""

from hopscope.app.restart import HEALTHY_S, LONGEST_DELAY_S, Ended, GiveUp, Restart, decide, told


def test_delays_double_up_to_the_longest() -> None:
    failures, delays = 0, []
    for _ in range(9):
        decision = decide(Ended(code=1, ran_s=0.1, failures=failures))
        assert isinstance(decision, Restart)
        delays.append(decision.after_s)
        failures = decision.failures
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert delays[-1] == LONGEST_DELAY_S


def test_a_child_that_ran_well_starts_with_the_first_delay_again() -> None:
    assert decide(Ended(code=-9, ran_s=HEALTHY_S, failures=7)) == Restart(0.5, 1)


def test_a_child_that_ended_by_itself_without_failure_is_restarted_too() -> None:
    assert isinstance(decide(Ended(code=0, ran_s=5, failures=0)), Restart)


def test_a_permanent_reason_ends_everything() -> None:
    assert decide(Ended(code=78, ran_s=0.1, failures=0)) == GiveUp(78)


def test_the_way_it_ended_is_told() -> None:
    assert (told(-9), told(1)) == ("killed by signal 9", "exit code 1")
