"""What every test of the repository shares: outside programs by mark, one browser, no HOPSCOPE_* from outside."""

import logging
import os
from collections.abc import Iterator

import pytest
from browsing import ARGUMENTS
from playwright.sync_api import Browser, sync_playwright
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


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command run in this process sets up logging for good; the next test must not write to its closed stream."""
    loggers = [logging.getLogger(name) for name in ("hopscope", "inchworm")]
    before = [(logger.handlers[:], logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of one file, not longer: while it runs, Playwright keeps an event loop running in this
    thread, and tests of other files start loops of their own.
    """
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=find("chromium"), args=ARGUMENTS)
        yield launched
        launched.close()
