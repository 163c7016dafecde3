"""Hours in which migrations rest, as a `throttle` for Runner and run. Decides from the clock's wall time only."""

from collections.abc import Callable
from datetime import datetime, time, tzinfo

from inchworm.clock import Clock, SystemClock
from inchworm.errors import DefinitionError


def quiet_hours(*spans: str, zone: tzinfo | None = None, clock: Clock | None = None) -> Callable[[], str | None]:
    """A throttle that gives a reason to wait within any of the spans, e.g. quiet_hours("07:30-09:00", "18:00-23:30").

    A span may pass midnight ("22:00-06:00"); its end is not part of it. zone: of the times, default the machine's.
    Raises DefinitionError for a span that cannot be read or is empty.
    """
    known = [_span(text) for text in spans]
    watch = clock or SystemClock()

    def throttle() -> str | None:
        now = datetime.fromtimestamp(watch.wall(), zone).time()
        for begin, end in known:
            if (begin <= now < end) if begin < end else (now >= begin or now < end):
                return f"quiet hours until {end:%H:%M}"
        return None

    return throttle


def _span(text: str) -> tuple[time, time]:
    try:
        begin, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise DefinitionError(f"quiet hours are written like 22:00-06:00, not {text!r}") from None
    if begin == end or begin.tzinfo is not None or end.tzinfo is not None:
        raise DefinitionError(f"quiet hours {text!r} are empty or name a time zone; give `zone`")
    return begin, end
