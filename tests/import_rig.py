"""What tests of imports share: a clock, keys, and how an import is asked for."""

from collections.abc import Callable
from pathlib import Path

from hopscope.store.imports import Import
from meshwire import PUBLIC_KEY, KeyRing

KEYS = KeyRing.of(channels={"Public": PUBLIC_KEY})
NOW = 1_780_000_000_000  # ms, when imports begin
Importing = Callable[[Path], Import]
