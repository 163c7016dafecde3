"""What the web app has from Python is fresh: the words of the enums, the list of early modules."""

import subprocess
import sys
from pathlib import Path

from hopscope.migrations.derived import FIRST_NAMES
from hopscope.web import STATIC

ROOT = Path(__file__).parents[4]


def test_the_vocabulary_and_the_early_modules_are_not_stale() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate_js.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_migration_of_ours_has_words_in_the_banner() -> None:
    words = (STATIC / "js" / "migrations.js").read_text(encoding="utf-8")
    assert [name for name in FIRST_NAMES.values() if f"  {name}: " not in words] == []
