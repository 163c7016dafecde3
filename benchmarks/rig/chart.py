"""Draw the benchmark's bars as an SVG: how long another writer waited, and how long it took. Log scale, plain text.

Works on a light and on a dark page: no background, and colours that change with the reader's colour scheme.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, RIGHT = 860, 250, 90
ROW, BAR, HEAD, FOOT = 46, 15, 64, 40
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .small { font-size: 11.5px } .title { font-weight: 600 }
.stall { fill: #b35900 } .total { fill: #3b6ea8 } .axis { stroke: #8c959f; stroke-width: 1; opacity: .45 }
.limit { stroke: #b35900; stroke-width: 1.2; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #d8dee4 } .stall { fill: #f0a04b } .total { fill: #79aee6 } .limit { stroke: #f0a04b }
}
"""


@dataclass(frozen=True, slots=True)
class Bars:
    """One strategy's two bars; milliseconds. `note` follows the name in small type."""

    name: str
    stall_ms: float
    total_ms: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One database's strategies under one heading."""

    title: str
    bars: Sequence[Bars]


def draw(panels: Sequence[Panel], *, limit_ms: float, caption: str) -> str:
    """The picture as SVG text. `limit_ms` is drawn as a dashed line: the target for the longest stall."""
    values = [v for panel in panels for bar in panel.bars for v in (bar.stall_ms, bar.total_ms)]
    axis = _Axis(1.0, 10.0 ** math.ceil(math.log10(max([*values, 1_000.0]))))
    height = sum(HEAD + ROW * len(panel.bars) for panel in panels) + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(caption)}</title><style>{STYLE}</style>",
    ]
    top = 0
    for panel in panels:
        parts += _panel(panel, axis, top, limit_ms)
        top += HEAD + ROW * len(panel.bars)
    parts += [_text(0, top + 26, caption, "small"), "</svg>"]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class _Axis:
    first: float
    last: float

    def at(self, value: float) -> float:
        share = math.log10(max(value, self.first) / self.first) / math.log10(self.last / self.first)
        return LABELS + share * (WIDTH - LABELS - RIGHT)

    @property
    def ticks(self) -> list[float]:
        return [self.first * 10**n for n in range(round(math.log10(self.last / self.first)) + 1)]


def _panel(panel: Panel, axis: _Axis, top: int, limit_ms: float) -> list[str]:
    bottom = top + HEAD + ROW * len(panel.bars) - 8
    parts = [_text(0, top + 18, panel.title, "title")]
    parts += [
        f'<rect class="stall" x="{LABELS}" y="{top + 9}" width="11" height="11"/>',
        _text(LABELS + 17, top + 19, "longest wait of another writer", "small"),
        f'<rect class="total" x="{LABELS + 215}" y="{top + 9}" width="11" height="11"/>',
        _text(LABELS + 232, top + 19, "time to the end", "small"),
    ]
    for tick in axis.ticks:
        x = axis.at(tick)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{top + 48}" y2="{bottom}"/>')
        parts.append(_text(x, top + 42, duration(tick), "small", anchor="middle"))
    x = axis.at(limit_ms)
    parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{top + 48}" y2="{bottom}"/>')
    for number, bars in enumerate(panel.bars):
        parts += _row(bars, axis, top + HEAD + ROW * number)
    return parts


def _row(bars: Bars, axis: _Axis, top: int) -> list[str]:
    parts = [_text(0, top + 13, bars.name)]
    if bars.note:
        parts.append(_text(0, top + 29, bars.note, "small"))
    for kind, value, y in (("stall", bars.stall_ms, top), ("total", bars.total_ms, top + BAR + 2)):
        width = max(axis.at(value) - LABELS, 2.0)
        parts.append(f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>')
        parts.append(_text(LABELS + width + 6, y + 12, duration(value), "small"))
    return parts


def _text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def duration(ms: float) -> str:
    """Milliseconds below one second, else seconds; three digits at most."""
    if ms < 999.5:
        return f"{ms:.0f} ms" if ms >= 9.95 or ms == round(ms) else f"{ms:.1f} ms"
    seconds = ms / 1000
    return f"{seconds:.0f} s" if seconds >= 99.5 or seconds == round(seconds) else f"{seconds:.1f} s"
