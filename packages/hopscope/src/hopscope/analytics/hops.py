"""Which node a hop of a path may be. Pure: a hop is the beginning of a key, so several nodes may share it."""

from collections.abc import Iterable
from dataclasses import dataclass

FORWARDING = frozenset({2, 3})  # repeaters and rooms forward; companions and sensors are no candidates


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that might forward."""

    pubkey: bytes
    name: str | None
    role: int


def only_match(hop: bytes, candidates: Iterable[Candidate]) -> Candidate | None:
    """The one forwarding node whose key begins with the hop; None: none does, or several do, and nobody can tell."""
    found = [node for node in candidates if node.role in FORWARDING and node.pubkey.startswith(hop)]
    return found[0] if len(found) == 1 else None
