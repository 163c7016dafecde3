"""The design tokens keep the contrast that WCAG 2.2 AA asks for, in both themes; shapes say what colours say."""

import re

import pytest
from browsing import Open

from hopscope.web import STATIC

Rgb = tuple[float, float, float]
TEXT, GRAPHIC = 4.5, 3.0  # WCAG 1.4.3 and 1.4.11
SURFACES = ("--paper", "--surface", "--raised", "--sunken", "--hover")
INKS = ("--ink", "--ink-2", "--ink-3", "--accent", "--signal", "--danger", "--ok", "--warn")
ON_SOFT = (
    ("--ink", "--accent-soft"),
    ("--ink-2", "--accent-soft"),
    ("--ink-3", "--accent-soft"),
    ("--accent", "--accent-soft"),
    ("--danger", "--danger-soft"),
    ("--ink", "--danger-soft"),
    ("--ink-2", "--danger-soft"),
    ("--warn", "--warn-soft"),
    ("--ink", "--signal-soft"),
    ("--accent-ink", "--accent"),
    ("--paper", "--signal"),
)


def themes() -> dict[str, dict[str, Rgb]]:
    text = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")
    found = {}
    for theme in ("light", "dark"):
        block = re.search(rf'\[data-theme="{theme}"\] \{{(.*?)\n\}}', text, re.DOTALL)
        assert block
        colors = re.findall(r"(--[\w-]+): #([0-9a-f]{6});", block[1])
        found[theme] = {name: tuple(int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)) for name, code in colors}
    return found


def linear(color: Rgb) -> Rgb:
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color)
    return r, g, b


def luminance(color: Rgb) -> float:
    r, g, b = linear(color)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: Rgb, b: Rgb) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("surface", SURFACES)
def test_text_is_readable_on_every_surface(theme: str, surface: str) -> None:
    colors = themes()[theme]
    ratios = {ink: round(contrast(colors[ink], colors[surface]), 2) for ink in INKS}
    assert {ink: ratio for ink, ratio in ratios.items() if ratio < TEXT} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), ON_SOFT)
def test_text_is_readable_on_coloured_grounds(theme: str, ink: str, ground: str) -> None:
    colors = themes()[theme]
    assert contrast(colors[ink], colors[ground]) >= TEXT


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_and_control_borders_stand_out(theme: str) -> None:
    colors = themes()[theme]
    marks = [name for name in colors if name.startswith("--p-")] + ["--line-strong"]
    grounds = ("--surface", "--paper", "--map-land", "--map-water")
    weak = {
        (mark, ground): round(contrast(colors[mark], colors[ground]), 2)
        for mark in marks
        for ground in grounds
        if contrast(colors[mark], colors[ground]) < GRAPHIC and not (mark == "--line-strong" and "map" in ground)
    }
    assert weak == {}


def test_no_two_payload_types_and_no_two_roles_share_a_shape() -> None:
    """Colour alone carries nothing: who sees no colours reads shape and word."""
    kinds = (STATIC / "js" / "parts" / "kind.js").read_text(encoding="utf-8")
    shapes = re.findall(r'^  [A-Z_]+: \["--p-\w+", "([^"]+)"\]', kinds, re.MULTILINE)
    assert len(shapes) == 13
    assert len(set(shapes)) == len(shapes)
    roles = re.search(r"ROLE_SHAPES = \{(.*?)\}", kinds, re.DOTALL)
    assert roles
    of_roles = re.findall(r'"([^"]+)"', roles[1])
    assert len(set(of_roles)) == len(of_roles) == 4


@pytest.mark.chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["Use for this tab", "Auto", "Forget key"])
def test_a_button_stays_readable_under_the_pointer(tab: Open, theme: str, name: str) -> None:
    page = tab("/system", color_scheme=theme, reduced_motion="reduce")
    page.get_by_role("button", name="Operator key…").click()
    if name == "Forget key":
        page.get_by_label("Operator key").fill("a-long-operator-key-7391")
        page.keyboard.press("Enter")
    button = page.get_by_role("button", name=name)
    button.hover()
    page.wait_for_timeout(50)  # the shortened transition
    ink, ground = button.evaluate(
        """button => {
          const pen = document.createElement("canvas").getContext("2d");
          const seen = (color) => {
            pen.fillStyle = color;
            pen.fillRect(0, 0, 1, 1);
            return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
          };
          const style = getComputedStyle(button);
          seen(getComputedStyle(button.closest(".nav, .main")).backgroundColor);
          return [style.color, style.backgroundColor].map(seen);
        }"""
    )
    assert contrast(tuple(ink), tuple(ground)) >= TEXT
