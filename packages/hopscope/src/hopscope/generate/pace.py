"""When each record of a simulation is published. Pure arithmetic; reads no clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate` records per second from `start_ms` (UTC) on, after a `backlog` spread evenly over the time before."""

    start_ms: int
    rate: float
    backlog: int = 0  # records before start_ms
    backlog_ms: int = 0  # over how long they are spread

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError(f"a rate of {self.rate} records per second never ends; it must be above 0")

    def at_ms(self, index: float) -> int:
        """The time of the record with this number, counted from 0; fractions lie between two records."""
        if index < self.backlog:
            return self.start_ms - round((self.backlog - index) * self.backlog_ms / self.backlog)
        return self.start_ms + round((index - self.backlog) * 1000 / self.rate)
