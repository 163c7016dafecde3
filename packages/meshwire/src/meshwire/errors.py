"""The one exception that decoding raises."""


class DecodeError(ValueError):
    """The bytes are not a packet that MeshCore's firmware would accept.

    `problem` says what is wrong, `at` is the byte position in the frame where it was noticed; `str()` is one line.
    """

    def __init__(self, problem: str, *, at: int) -> None:
        super().__init__(problem, at)
        self.problem = problem
        self.at = at

    def __str__(self) -> str:
        return f"{self.problem} (at byte {self.at})"

    def __reduce__(self) -> tuple[object, ...]:
        # The keyword-only argument would otherwise be lost when the error crosses a process boundary.
        return _rebuild, (self.problem, self.at)


def _rebuild(problem: str, at: int) -> DecodeError:
    return DecodeError(problem, at=at)
