"""What a user of inchworm tests migrations and adapters with: a fake clock, an observed database, the suite.

clock        FakeClock: time that passes only when somebody sleeps
observed     Observed: any Database, with a call before each step; raise, kill or write there
harness      what a backend gives the suite; SqliteHarness for both SQLite libraries
conformance  the suite; subclass `Conformance` and provide a `harness` fixture
mutants      wrong engines that the suite must reject
"""

from inchworm.testing.clock import FakeClock
from inchworm.testing.harness import Harness, SqliteHarness
from inchworm.testing.observed import Observed

__all__ = ["FakeClock", "Harness", "Observed", "SqliteHarness"]
