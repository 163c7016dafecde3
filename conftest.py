"""What every test of the repository shares: outside programs by mark, and an environment without HOPSCOPE_*."""

import os

import pytest
from services import SERVICES, find


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests whose mark names a missing program; with HOPSCOPE_REQUIRE, let them run and fail."""
    required = os.environ.get("HOPSCOPE_REQUIRE", "").split(",")
    for name, service in SERVICES.items():
        if find(name) is None and name not in required:
            skip = pytest.mark.skip(reason=f"{name} is missing ({service.hint})")
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(skip)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own HOPSCOPE_* settings must not change what a test sees."""
    for name in list(os.environ):
        if name.startswith("HOPSCOPE_") and name not in {"HOPSCOPE_REQUIRE", "HOPSCOPE_APT"}:
            monkeypatch.delenv(name)
