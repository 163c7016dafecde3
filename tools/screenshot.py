"""Make docs/screenshot.png from the running demo (`make demo` in another terminal). Needs Chromium.

Two pages side by side: the packets in light, the map in dark.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browsing import ARGUMENTS, DESKTOP  # noqa: E402
from services import find  # noqa: E402

TARGET = ROOT / "docs" / "screenshot.png"
LARGEST = 400_000  # bytes; it stands at the top of the README
SETTLE_MS = 110_000  # so long the scope gathers receptions
SHEET = """<!doctype html><style>
body { margin: 0; width: 1440px; height: 900px; position: relative; overflow: hidden }
img { position: absolute; inset: 0; width: 1440px; height: 900px }
.over { clip-path: polygon(62% 0, 100% 0, 100% 100%, 46% 100%) }
</style><img src="under.png"><img class="over" src="over.png">"""


def shoot(browser: Browser, pictures: list[tuple[str, str, Path]], *, wait_ms: int) -> None:
    """Pages as pictures, all open at the same time: (address, theme, file)."""
    opened = []
    for url, theme, path in pictures:
        page = browser.new_page(viewport=DESKTOP, color_scheme=theme)  # type: ignore[arg-type]
        page.goto(url)
        opened.append((page, path))
    opened[0][0].wait_for_timeout(wait_ms)
    for page, path in opened:
        page.screenshot(path=path)
        page.close()


def main() -> None:
    """Take both pictures and lay one over the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the demo is served")
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as work:
        browser = playwright.chromium.launch(executable_path=find("chromium"), args=ARGUMENTS)
        folder = Path(work)
        pages = [
            (f"{arguments.url}/packets", "light", folder / "under.png"),
            (f"{arguments.url}/map", "dark", folder / "over.png"),
        ]
        shoot(browser, pages, wait_ms=SETTLE_MS)
        (folder / "sheet.html").write_text(SHEET, encoding="utf-8")
        shoot(browser, [((folder / "sheet.html").as_uri(), "light", arguments.out)], wait_ms=500)
        browser.close()
    size = arguments.out.stat().st_size
    print(f"{arguments.out}: {size / 1000:.0f} kB")
    if size > LARGEST:
        sys.exit(f"larger than {LARGEST / 1000:.0f} kB")


if __name__ == "__main__":
    main()
