"""What the commands print, as rich tables and plain sentences; no command logic."""

from collections.abc import Mapping, Sequence

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from inchworm.progress import Counts, Total
from inchworm.report import Report
from inchworm.states import Status
from inchworm.status import MigrationStatus

COLOURS = {
    Status.DONE: "green",
    Status.RUNNING: "cyan",
    Status.VERIFYING: "cyan",
    Status.FAILED: "bold red",
    Status.CANCELLED: "yellow",
    Status.PAUSED: "yellow",
    Status.INTERRUPTED: "yellow",
    Status.UNKNOWN: "bold red",
}

FIGURES = ("examined", "changed", "unchanged", "skipped", "quarantined")


def status_table(found: Sequence[MigrationStatus]) -> Table:
    """One line per migration."""
    table = Table(box=None, pad_edge=False)
    for title in ("migration", "status", "", "rows", "rows/s", "left", "why"):
        right = title in ("rows", "rows/s", "left")
        table.add_column(title, justify="right" if right else "left", no_wrap=title != "why")
    for s in found:
        done = s.counts.examined
        table.add_row(
            Text(s.name),
            Text(str(s.status), style=COLOURS.get(s.status, "")),
            ProgressBar(total=s.total.rows or 1, completed=_part(s.status, done, s.total), width=16),
            rows_of(s.counts, s.total),
            "" if s.rate is None else f"{s.rate:,.0f}",
            duration(s.eta_s),
            Text(_why(s)),
        )
    return table


def _part(status: Status, done: int, total: Total) -> float:
    if total.rows:
        return float(min(done, total.rows))
    return 1.0 if status is Status.DONE else 0.0


def _why(s: MigrationStatus) -> str:
    parts = [s.error or s.reason or ""]
    if s.quarantined:
        parts.append(f"{s.quarantined} quarantined")
    if s.requested:
        parts.append(f"{s.requested} requested")
    if s.acknowledged_at is not None and s.status is Status.FAILED:
        parts.append(f"acknowledged by {s.acknowledged_by or 'an operator'}")
    return "; ".join(p for p in (*parts, *s.problems) if p)


def rows_of(counts: Counts, total: Total) -> str:
    """`12,000 / about 71,000`."""
    if total.rows is None:
        return f"{counts.examined:,}"
    return f"{counts.examined:,} / {'about ' if total.estimated else ''}{total.rows:,}"


def report_table(report: Report) -> Table:
    """What a run did: counters that add up, and where the seconds went."""
    table = Table(box=None, pad_edge=False)
    for title in (
        "migration",
        "status",
        "examined",
        "changed",
        "unchanged",
        "skipped",
        "quarantined",
        "active",
        "waited",
    ):
        table.add_column(title, justify="left" if title in ("migration", "status", "waited") else "right")
    for o in report.outcomes:
        c = o.counts
        figures = (f"{getattr(c, name):,}" for name in FIGURES)
        state = Text(str(o.status), style=COLOURS.get(o.status, ""))
        table.add_row(Text(o.name), state, *figures, duration(o.active_s), Text(waits(o.throttled)))
    return table


def report_sentences(report: Report) -> list[str]:
    """Errors, reasons and warnings, one sentence each."""
    lines = [f"{o.name}: {o.error or o.reason}" for o in report.outcomes if o.error or o.reason]
    lines += [f"{name} is in the ledger, but no such migration is defined; it is parked" for name in report.parked]
    lines += [f"warning: {w}" for w in report.warnings]
    if report.turns:
        effort = (
            "; several writers competed, so the stall budget was best effort" if report.budget_is_best_effort else ""
        )
        lines.append(f"{report.turns:,} write turns, longest {report.longest_hold_s * 1000:.0f} ms{effort}")
    return lines


def waits(throttled: Mapping[str, float]) -> str:
    """`stall budget 1.2 s, paused by ann 40 s`, longest first; waits below 10 ms are noise."""
    longest = sorted(((s, r) for r, s in throttled.items() if s >= 0.01), reverse=True)
    return ", ".join(f"{reason} {duration(seconds)}" for seconds, reason in longest)


def duration(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
