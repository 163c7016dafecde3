"""What the commands print, as rich tables and plain sentences; no command logic."""

from collections.abc import Callable, Mapping, Sequence

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from inchworm.findings import Finding
from inchworm.forecast import Forecast, Range, beside
from inchworm.progress import Counts, Total
from inchworm.report import Outcome, Report
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


def _outcome(o: Outcome) -> str:
    counts = o.counts
    parts = [f"{counts.examined:,} examined", f"{counts.changed:,} changed", f"{counts.unchanged:,} unchanged"]
    parts += [f"{n:,} {what}" for n, what in ((counts.skipped, "skipped"), (counts.quarantined, "quarantined")) if n]
    waited = waits(o.throttled)
    return f"{o.name}: {o.status}, {', '.join(parts)}; worked {duration(o.active_s)}" + (
        f", waited: {waited}" if waited else ""
    )


def report_sentences(report: Report) -> list[str]:
    """What a run did with each migration, forecast beside actual, errors, reasons and warnings; a sentence each."""
    lines = [_outcome(o) for o in report.outcomes]
    lines += [f"{o.name}: {o.error or o.reason}" for o in report.outcomes if o.error or o.reason]
    compared = ((o.name, beside(o.forecast, o.active_s, o.throttled)) for o in report.outcomes)
    lines += [f"{name} {both}" for name, both in compared if both is not None]
    lines += [f"{name} is in the ledger, but no such migration is defined; it is parked" for name in report.parked]
    lines += [f"warning: {w}" for w in report.warnings]
    if report.turns:
        effort = (
            "; several writers competed, so the stall budget was best effort" if report.budget_is_best_effort else ""
        )
        lines.append(f"{report.turns:,} write turns, longest {report.longest_hold_s * 1000:.0f} ms{effort}")
    return lines


def findings_lines(findings: Sequence[Finding]) -> list[str]:
    """A sentence each, and below it what to do."""
    lines = []
    for f in findings:
        lines.append(f"{f.severity}: {f.about}: {f.sentence}")
        if f.todo:
            lines.append(f"    {f.todo}")
    return lines


def forecast_lines(name: str, f: Forecast) -> list[str]:
    """`time 5.2 s (2.6 to 12)` and so on; what could not be measured is not mentioned."""
    rows = f"{'about ' if f.estimated else ''}{f.rows:,} rows"
    figures: list[tuple[str, Range | None, Callable[[float], str]]] = [
        ("time", f.seconds, duration),
        ("stall of another writer", f.stall_ms, lambda ms: f"{ms:.0f} ms"),
        ("log written", f.wal_bytes, _megabytes),
        ("log at once", f.wal_peak_bytes, _megabytes),
        ("disk", f.disk_bytes, _megabytes),
    ]
    lines = [f"{name}: {rows} in about {f.turns:,} turns"]
    for title, each, say in figures:
        if each is not None:
            lines.append(f"    {title:<24}{say(each.likely)} ({say(each.low)} to {say(each.high)})")
    return lines


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"


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
