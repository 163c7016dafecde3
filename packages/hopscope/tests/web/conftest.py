"""A real Chromium on a real installation. A page that logs an error or breaks the content policy fails its test."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browsing import DESKTOP, PATIENCE_MS, WATCH_POLICY, Open
from installation import Installation
from playwright.sync_api import Browser, ConsoleMessage, Page


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    """A running installation with nothing stored."""
    with Installation(tmp_path, api_key="a-long-operator-key-7391") as running:
        yield running


@pytest.fixture
def tab(browser: Browser, site: Installation) -> Iterator[Open]:
    """Opens pages of the site in a fresh profile. `expect_errors`: parts of console errors that are meant."""
    with ExitStack() as stack:

        def opened(path: str = "/", *, expect_errors: tuple[str, ...] = (), **context: Any) -> Page:
            profile = stack.enter_context(browser.new_context(**({"viewport": DESKTOP} | context)))
            profile.set_default_timeout(PATIENCE_MS)
            profile.add_init_script(WATCH_POLICY)
            page = profile.new_page()
            said: list[str] = []

            def listen(message: ConsoleMessage) -> None:
                if message.type == "error" and not any(part in message.text for part in expect_errors):
                    said.append(f"{message.text} {message.location}")

            page.on("console", listen)
            page.on("pageerror", lambda error: said.append(str(error)))
            stack.callback(lambda: _is_quiet(page, said))
            page.goto(site.url + path)
            return page

        yield opened


def _is_quiet(page: Page, said: list[str]) -> None:
    violations = page.evaluate("window.violations")
    assert said == []
    assert violations == []
