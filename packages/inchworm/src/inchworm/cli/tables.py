"""What the commands print: aligned lines, sentences and figures; no command logic.

Nothing is cut off: what does not fit beside the figures stands on a line of its own, and a narrow terminal gets blocks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import click

from inchworm.file_diagnosis import FileFacts
from inchworm.findings import Finding
from inchworm.forecast import Forecast, Range, beside
from inchworm.progress import Counts, Total
from inchworm.report import Outcome, Report
from inchworm.server_diagnosis import ServerFacts
from inchworm.states import Status
from inchworm.status import MigrationStatus

COLOURS = {
    Status.DONE: "green",
    Status.RUNNING: "cyan",
    Status.VERIFYING: "cyan",
    Status.FAILED: "red",
    Status.CANCELLED: "yellow",
    Status.PAUSED: "yellow",
    Status.INTERRUPTED: "yellow",
    Status.UNKNOWN: "red",
}
NEXT = {
    Status.FAILED: "when its cause is mended: inchworm retry {name}, then run again",
    Status.PAUSED: "to let it go on: inchworm resume {name}",
    Status.INTERRUPTED: "the next run goes on after the last committed row",
    Status.CANCELLED: "to take it up again: inchworm retry {name}, then run again",
}
TITLES = ("migration", "status", "done", "rows", "rows/s", "left")


class Standing(Protocol):
    """What a progress event and a row of the ledger have in common."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def counts(self) -> Counts: ...
    @property
    def total(self) -> Total: ...
    @property
    def rate(self) -> float | None: ...
    @property
    def eta_s(self) -> float | None: ...
    @property
    def reason(self) -> str | None: ...


# -- status


def status_lines(found: Sequence[MigrationStatus], width: int | None = None) -> list[str]:
    """A line of figures per migration and below it what is to be known; `width`: of the terminal, None for a pipe."""
    if not found:
        return []
    rows = [TITLES, *(_figures(s) for s in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(TITLES))]
    if width is not None and sum(widths) + 2 * len(widths) > width:
        return [line for s in found for line in (f"{s.name}: {one_line(s)}", *_notes(s))]
    lines = [_aligned(TITLES, widths)]
    for s, row in zip(found, rows[1:], strict=True):
        lines += [_aligned(row, widths, COLOURS.get(s.status)), *_notes(s)]
    return lines


def _figures(s: MigrationStatus) -> tuple[str, ...]:
    speed = "" if s.rate is None else f"{s.rate:,.0f}"
    return s.name, str(s.status), percent(s.counts, s.total), rows_of(s.counts, s.total), speed, duration(s.eta_s)


def _aligned(row: Sequence[str], widths: Sequence[int], colour: str | None = None) -> str:
    name, status, *figures = row
    shown = status.ljust(widths[1])
    cells = [name.ljust(widths[0]), click.style(shown, fg=colour) if colour else shown]
    cells += [text.rjust(width) for text, width in zip(figures, widths[2:], strict=True)]
    return "  ".join(cells).rstrip()


def _notes(s: MigrationStatus) -> list[str]:
    notes = [s.error, s.reason]
    if s.quarantined:
        notes.append(f"{s.quarantined:,} rows are quarantined")
    if s.requested:
        notes.append(f"an operator asked to {s.requested} it; no runner has answered yet")
    if s.acknowledged_at is not None and s.status is Status.FAILED:
        notes.append(f"acknowledged by {s.acknowledged_by or 'an operator'}")
    todo = NEXT.get(s.status, "").format(name=s.name)
    return [f"    {note}" for note in (*notes, *s.problems, todo) if note]


def one_line(s: Standing) -> str:
    """`running, 12,000 of 71,000 rows (16 %), 9,000 rows/s, 6.6 s left`; without the name."""
    done, share = rows_of(s.counts, s.total), percent(s.counts, s.total)
    why = s.reason or ""
    parts = [why] if why.startswith(str(s.status)) else [str(s.status), why]
    parts.append(f"{done} rows" + (f" ({share})" if share else ""))
    parts += [f"{s.rate:,.0f} rows/s" if s.rate is not None else "", f"{duration(s.eta_s)} left" if s.eta_s else ""]
    return ", ".join(part for part in parts if part)


def rows_of(counts: Counts, total: Total) -> str:
    """`12,000 of about 71,000`."""
    if total.rows is None:
        return f"{counts.examined:,}"
    return f"{counts.examined:,} of {'about ' if total.estimated else ''}{total.rows:,}"


def percent(counts: Counts, total: Total) -> str:
    """`16 %`; empty when the total is unknown or was passed."""
    if not total.rows or counts.examined > total.rows:
        return ""
    return f"{100 * counts.examined // total.rows} %"


# -- a run's end


def report_lines(report: Report, *, budget_ms: float, done_before: frozenset[str] = frozenset()) -> list[str]:
    """What a run did with each migration, forecast beside actual, errors, reasons and warnings."""
    lines = [line for o in report.outcomes for line in _outcome(o, before=o.name in done_before)]
    if report.parked:
        lines.append(f"also in the ledger, not defined here and left alone: {', '.join(report.parked)}")
    lines += [f"warning: {w}" for w in report.warnings]
    if report.turns:
        lines.append(_turns(report, budget_ms))
    return lines


def _outcome(o: Outcome, *, before: bool) -> Iterator[str]:
    if before:
        yield f"{o.name}: was done before; nothing is left to do"
        return
    yield f"{o.name}: {o.status}"
    for text in (o.error, o.reason):
        if text:
            yield f"    {text.removeprefix(f'{o.name}: ')}"
    if o.counts.examined or o.slices:
        yield f"    {_counted(o.counts)}"
        yield f"    worked {duration(o.active_s)}" + (f"; waited: {waited}" if (waited := waits(o.throttled)) else "")
    both = beside(o.forecast, o.active_s, o.throttled) if o.status is Status.DONE else None
    if both is not None:
        yield f"    {both}"
    if o.status in NEXT:
        yield f"    {NEXT[o.status].format(name=o.name)}"


def _counted(counts: Counts) -> str:
    parts = [f"{counts.changed:,} changed", f"{counts.unchanged:,} unchanged"]
    parts += [f"{n:,} {what}" for n, what in ((counts.skipped, "skipped"), (counts.quarantined, "quarantined")) if n]
    return f"{counts.examined:,} rows examined: {', '.join(parts)}"


def _turns(report: Report, budget_ms: float) -> str:
    longest_ms = report.longest_hold_s * 1000
    plural = "" if report.turns == 1 else "s"
    line = f"{report.turns:,} write turn{plural}, the longest {max(1, round(longest_ms))} ms"
    if longest_ms > budget_ms:
        line += f", past the stall budget of {budget_ms:g} ms: a slow disk or a busy processor cannot be interrupted"
    if report.budget_is_best_effort:
        line += "; several writers competed, so the stall budget was best effort"
    return line


# -- plan and doctor


def findings_lines(findings: Sequence[Finding], *, about: str | None = None) -> list[str]:
    """A sentence each, and below it what to do, once for neighbours with the same remedy. `about` is not repeated."""
    lines = []
    for at, f in enumerate(findings):
        lines.append(f"{f.severity}: {f.sentence}" if f.about == about else f"{f.severity}: {f.about}: {f.sentence}")
        last = at + 1 == len(findings) or findings[at + 1].todo != f.todo
        if f.todo and last:
            lines.append(f"    {f.todo}")
    return lines


def forecast_lines(f: Forecast) -> list[str]:
    """`time 5.2 s (2.6 s to 12 s)` and so on; what could not be measured is not mentioned."""
    figures: list[tuple[str, Range | None, Callable[[float], str]]] = [
        ("time", f.seconds, duration),
        ("stall of another writer", f.stall_ms, lambda ms: f"{ms:.0f} ms"),
        ("log written", f.wal_bytes, megabytes),
        ("log at once", f.wal_peak_bytes, megabytes),
        ("disk", f.disk_bytes, megabytes),
    ]
    return [
        f"{title:<23}  {say(each.likely):>10}   ({say(each.low)} to {say(each.high)})"
        for title, each, say in figures
        if each is not None
    ]


def facts_line(facts: FileFacts | ServerFacts) -> str:
    """What was looked at: `mesh.db: journal mode wal, SQLite 3.54.1 (apsw), 62.1 MB, log 4.1 MB, 812.0 MB free`."""
    if isinstance(facts, ServerFacts):
        return f"PostgreSQL {facts.version}: {facts.connections} of {facts.most_connections} connections in use"
    parts = [f"journal mode {facts.journal_mode}", f"SQLite {facts.version} ({facts.library})"]
    parts.append(megabytes(facts.pages * facts.page_bytes))
    if facts.log is not None:
        parts.append(f"log {megabytes(facts.log.file_bytes)}")
    if facts.disk_free is not None:
        parts.append(f"{megabytes(facts.disk_free)} of disk free")
    return f"{facts.path}: {', '.join(parts)}"


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB" if size < 1e10 else f"{size / 1e9:,.1f} GB"


def waits(throttled: Mapping[str, float]) -> str:
    """`stall budget 1.2 s, paused by ann 40 s`, longest first; waits below 10 ms are noise."""
    longest = sorted(((s, r) for r, s in throttled.items() if s >= 0.01), reverse=True)
    return ", ".join(f"{reason} {duration(seconds)}" for seconds, reason in longest)


def duration(seconds: float | None) -> str:
    """`42 ms`, `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
