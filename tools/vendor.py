"""Fetch the browser libraries anew into web/static/vendor, with relative imports and their licences.

Run by hand when a version changes (needs npm); the result is committed, so nobody who installs needs it.
"""

import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

VENDOR = Path(__file__).parent.parent / "packages/hopscope/src/hopscope/web/static/vendor"


@dataclass(frozen=True, slots=True)
class Library:
    """One npm package: which of its files are taken, and under what names in the library's folder."""

    name: str
    version: str
    folder: str
    purpose: str
    files: dict[str, str] = field(default_factory=dict)


LIBRARIES = (
    Library(
        "preact", "11.2.0", "preact", "components", {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"}
    ),
    Library("htm", "3.1.1", "htm", "templates without a build step", {"dist/htm.mjs": "htm.js"}),
    Library("@preact/signals-core", "1.14.5", "signals-core", "state", {"dist/signals-core.mjs": "signals-core.js"}),
    Library("@preact/signals", "2.11.4", "signals", "state in components", {"dist/signals.mjs": "signals.js"}),
    Library(
        "leaflet",
        "1.9.4",
        "leaflet",
        "map",
        {"dist/leaflet-src.esm.js": "leaflet.js", "dist/leaflet.css": "leaflet.css"},
    ),
    Library("uplot", "1.6.32", "uplot", "charts", {"dist/uPlot.esm.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"}),
    Library("topojson-client", "3.1.0", "topojson-client", "unpacks the base map", {"src/": "./"}),
    Library(
        "world-atlas",
        "2.0.2",
        "world-atlas",
        "base map (Natural Earth 1:50m)",
        {"countries-50m.json": "countries-50m.json"},
    ),
    Library(
        "@fontsource-variable/atkinson-hyperlegible-next",
        "5.3.0",
        "atkinson-hyperlegible-next",
        "typeface for text",
        {
            "files/atkinson-hyperlegible-next-latin-wght-normal.woff2": "latin.woff2",
            "files/atkinson-hyperlegible-next-latin-ext-wght-normal.woff2": "latin-ext.woff2",
        },
    ),
    Library(
        "@fontsource-variable/atkinson-hyperlegible-mono",
        "5.3.0",
        "atkinson-hyperlegible-mono",
        "typeface for hex and figures",
        {
            "files/atkinson-hyperlegible-mono-latin-wght-normal.woff2": "latin.woff2",
            "files/atkinson-hyperlegible-mono-latin-ext-wght-normal.woff2": "latin-ext.woff2",
        },
    ),
)

# What a bare import becomes. Every library lies one folder below vendor/, so one relative form serves all.
SPECIFIERS = {
    "preact": "../preact/preact.js",
    "preact/hooks": "../preact/hooks.js",
    "@preact/signals-core": "../signals-core/signals-core.js",
}


def with_relative_imports(source: str) -> str:
    """Rewrite bare import specifiers and drop references to source maps that are not shipped."""
    source = re.sub(r"(?m)^//# sourceMappingURL=.*\n?", "", source)

    def relative(match: re.Match[str]) -> str:
        return f'{match[1]}"{SPECIFIERS[match[2]]}"'

    bare = "|".join(re.escape(name) for name in sorted(SPECIFIERS, key=len, reverse=True))
    return re.sub(rf'((?:from|import)\s*)"({bare})"', relative, source)


def unpack(library: Library, work: Path) -> Path:
    """Download the package at its pinned version; returns the folder that npm calls `package`."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", "--json", f"{library.name}@{library.version}"],
        cwd=work, check=True, capture_output=True, text=True,
    )  # fmt: skip
    target = work / library.folder
    with tarfile.open(work / json.loads(packed.stdout)[0]["filename"]) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


def install(library: Library, package: Path) -> str:
    """Copy the chosen files and the licence; returns the library's line for the README."""
    folder = VENDOR / library.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source, name in library.files.items():
        origins = sorted((package / source).glob("*.js")) if source.endswith("/") else [package / source]
        for origin in origins:
            place = folder / name / origin.name if source.endswith("/") else folder / name
            if place.suffix == ".js":
                place.write_text(with_relative_imports(origin.read_text(encoding="utf-8")), encoding="utf-8")
            else:
                shutil.copyfile(origin, place)
    shutil.copyfile(package / "LICENSE", folder / "LICENSE")
    licence = json.loads((package / "package.json").read_text(encoding="utf-8"))["license"]
    return f"| {library.folder} | {library.name} | {library.version} | {licence} | {library.purpose} |"


def main() -> None:
    """Replace every vendored library and the list of them."""
    with tempfile.TemporaryDirectory() as work:
        lines = [install(library, unpack(library, Path(work))) for library in LIBRARIES]
    head = [
        "# Libraries of the web app",
        "",
        "Copied unchanged but for two things: imports between them are relative, references to source maps removed.",
        "`tools/vendor.py` makes this folder anew. Each folder holds its licence.",
        "",
        "| folder | package | version | licence | used for |",
        "|---|---|---|---|---|",
    ]
    (VENDOR / "README.md").write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
