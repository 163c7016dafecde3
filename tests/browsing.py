"""What browser tests agree on: how Chromium is started, the sizes of screens, the watch on the content policy."""

import time
from collections.abc import Callable

from playwright.sync_api import Page

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 15_000  # for what must happen sometime; tests of deadlines state their own

WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""

Open = Callable[..., Page]


def eventually(page: Page, predicate: str) -> None:
    """Wait until a JavaScript expression is true. Playwright's own wait evaluates text, which the policy forbids."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(predicate):
        assert time.monotonic() < deadline, predicate
        page.wait_for_timeout(50)
