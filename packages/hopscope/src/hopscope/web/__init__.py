"""Where the web app's files lie. Serves nothing itself; the API does."""

from pathlib import Path

STATIC = Path(__file__).parent / "static"
INDEX = STATIC / "index.html"  # the shell, for every page route
API_DOCS = STATIC / "docs.html"
