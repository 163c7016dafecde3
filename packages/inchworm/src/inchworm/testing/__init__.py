"""What a user of inchworm tests migrations and adapters with. Nothing in production code is prepared for it.

clock        FakeClock: time that passes only when somebody sleeps
observed     Observed: any Database, with a call before each step; raise, kill or write there
harness      what a backend gives the suite; SqliteHarness for both SQLite libraries
conformance  the suite; subclass `Conformance` and provide a `harness` fixture
memory       databases in memory, for fast tests: memory_database, MemoryHarness
plugin       the pytest plugin: your own migration through every hazard; its docstring is the manual
kit hazards  a trial of a user's migration; what happens to it
grounds      where that happens: SQLite files, or schemas in a PostgreSQL database
data         orphans, NULLs, duplicates, gaps, for the hazards
mutants      wrong engines that the suite must reject, and the judge that runs it over them
kills        SIGKILL again and again, counted; soak.py beside the package is the command
"""

from inchworm.testing.clock import FakeClock
from inchworm.testing.harness import Harness, SqliteHarness
from inchworm.testing.memory import MemoryHarness, memory_database
from inchworm.testing.observed import Observed

__all__ = ["FakeClock", "Harness", "MemoryHarness", "Observed", "SqliteHarness", "memory_database"]
