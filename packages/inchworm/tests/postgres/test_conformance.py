"""PostgreSQL runs the suite that every backend runs."""

import pytest

from inchworm.testing.conformance import Conformance

pytestmark = pytest.mark.postgres


class TestPostgres(Conformance):
    """`harness` comes from this folder's conftest."""

    one_write_lock = False
