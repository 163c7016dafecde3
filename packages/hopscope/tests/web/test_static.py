"""The web app's files keep to what the content policy and an offline machine demand."""

import re
from pathlib import Path

import pytest

from hopscope.web import API_DOCS, INDEX, STATIC

VENDOR = STATIC / "vendor"
MODULES = sorted(path for path in (STATIC / "js").rglob("*.js"))
PAGES = (INDEX, API_DOCS)
# whatever could turn text into markup or code
PARSERS = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "dangerouslySetInnerHTML",
    r"document\.write",
    r"\beval\(",
    "new Function",
    r"setAttribute\(.style",
    "bindPopup",
    "bindTooltip",
    "createContextualFragment",
    "DOMParser",
)
IMPORT = re.compile(
    r"""(?:^|[\s;}])(?:import|export)\b[^;'"(]*?from\s*["']([^"']+)["']|^import\s*["']([^"']+)["']|import\("([^"]+)"\)""",
    re.MULTILINE,
)


def name_of(path: Path) -> str:
    return str(path.relative_to(STATIC))


@pytest.mark.parametrize("module", [*MODULES, *sorted(VENDOR.rglob("*.js"))], ids=name_of)
def test_every_import_names_a_file_that_is_there(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    if module.is_relative_to(VENDOR):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)  # prose in comments speaks of importing, too
    for forms in IMPORT.findall(text):
        specifier = "".join(forms)
        if specifier.startswith((".", "/")) or not module.is_relative_to(VENDOR):
            assert specifier.startswith(("./", "../")), specifier
            assert (module.parent / specifier).resolve().is_file(), specifier


def test_vendored_modules_import_no_bare_name() -> None:
    bare = re.compile(r"""(?:from|import)\s*["'](?:preact|htm|@preact)[^"']*["']""")
    found = {name_of(path): bare.findall(path.read_text(encoding="utf-8")) for path in VENDOR.rglob("*.js")}
    assert {name: hits for name, hits in found.items() if hits} == {}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_module_makes_markup_or_code_of_text(module: Path) -> None:
    """Names from the air become text nodes; whatever could parse them is not used at all."""
    text = module.read_text(encoding="utf-8")
    assert re.findall("|".join(PARSERS), text) == []


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_every_module_says_in_its_first_line_what_it_is(module: Path) -> None:
    assert module.read_text(encoding="utf-8").startswith("// ")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_have_no_inline_script_or_style_and_load_only_files_of_ours(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    links = re.findall(r"""(?:src|href)="([^"]+)\"""", text)
    assert links
    for link in links:
        if link.startswith("/static/"):
            assert (STATIC / link.removeprefix("/static/")).is_file(), link
        else:
            assert link.startswith("/api/"), link


def test_stylesheets_load_nothing_from_elsewhere_and_no_data_images() -> None:
    for sheet in (STATIC / "css").glob("*.css"):
        for target in re.findall(r"""url\(["']?([^"')]+)""", sheet.read_text(encoding="utf-8")):
            assert (sheet.parent / target).resolve().is_file(), f"{sheet.name}: {target}"


def test_every_library_is_listed_with_version_and_licence_and_brings_its_licence_text() -> None:
    listed = (VENDOR / "README.md").read_text(encoding="utf-8")
    for folder in (path for path in VENDOR.iterdir() if path.is_dir()):
        row = re.search(
            rf"^\| {re.escape(folder.name)} \| (\S+) \| \d+\.\d+\.\d+ \| (MIT|ISC|BSD-2-Clause|Apache-2.0|OFL-1.1) \|",
            listed,
            re.MULTILINE,
        )
        assert row, folder.name
        assert (folder / "LICENSE").stat().st_size > 300
