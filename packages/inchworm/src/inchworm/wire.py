"""Statuses as JSON, for the command line and for HTTP: one fixed set of keys, null where something is unknown."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from inchworm.findings import Finding
from inchworm.forecast import beside
from inchworm.plan import MigrationPlan, Plan
from inchworm.report import Outcome, Report
from inchworm.status import MigrationStatus


def status_json(status: MigrationStatus) -> dict[str, Any]:
    """One migration. Times RFC 3339 UTC, durations in seconds, rate in rows per second; no key is ever missing."""
    return {
        "name": status.name,
        "status": str(status.status),
        "kind": status.kind,
        "rowsProcessed": status.counts.examined,
        "rowsTotal": status.total.rows,
        "rowsTotalEstimated": status.total.estimated,
        "rowsChanged": status.counts.changed,
        "quarantined": status.quarantined,
        "rate": _rounded(status.rate),
        "etaSeconds": _rounded(status.eta_s),
        "elapsedSec": _rounded(status.elapsed_s),
        "activeSec": _rounded(status.active_s),
        "throttledSec": {why: _rounded(seconds) for why, seconds in status.throttled.items()},
        "reason": status.reason,
        "errorMessage": status.error,
        "requested": status.requested,
        "startedAt": _time(status.started_at),
        "endedAt": _time(status.ended_at),
        "lastUpdateAt": _time(status.last_update_at),
        "needsAcknowledgement": status.needs_acknowledgement,
        "problems": list(status.problems),
    }


def statuses_json(statuses: Iterable[MigrationStatus]) -> list[dict[str, Any]]:
    """All of them, in the order given; [] and never null when there are none."""
    return [status_json(status) for status in statuses]


def findings_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """What plan or doctor found."""
    return [
        {"severity": str(f.severity), "about": f.about, "sentence": f.sentence, "todo": f.todo or None}
        for f in findings
    ]


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan: forecasts with their intervals, findings, and the statements as the database would run them."""
    return {"refused": list(plan.refused), "migrations": [_planned_json(m) for m in plan.migrations]}


def _planned_json(m: MigrationPlan) -> dict[str, Any]:
    return {
        "name": m.name,
        "refused": m.refused,
        "findings": findings_json(m.findings),
        "forecast": None if m.forecast is None else asdict(m.forecast),
        "statements": [{"role": s.role, "runs": str(s.look), "plan": list(s.lines)} for s in m.statements],
        "samples": {
            "read": [asdict(pair) for pair in m.samples.read],
            "turn": [asdict(pair) for pair in m.samples.turn],
            "verify": [asdict(pair) for pair in m.samples.verify],
        },
    }


def report_json(report: Report) -> dict[str, Any]:
    """What a run returned."""
    return {
        "ok": report.ok,
        "migrations": [_outcome_json(outcome) for outcome in report.outcomes],
        "parked": list(report.parked),
        "warnings": list(report.warnings),
        "elapsedSec": _rounded(report.elapsed_s),
        "turns": report.turns,
        "longestHoldMs": _rounded(report.longest_hold_s * 1000),
        "budgetIsBestEffort": report.budget_is_best_effort,
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    counts = outcome.counts
    compared = beside(outcome.forecast, outcome.active_s, outcome.throttled)
    return {
        "name": outcome.name,
        "status": str(outcome.status),
        "rowsProcessed": counts.examined,
        "rowsChanged": counts.changed,
        "rowsUnchanged": counts.unchanged,
        "rowsSkipped": counts.skipped,
        "quarantined": counts.quarantined,
        "rowsTotal": outcome.total.rows,
        "rowsTotalEstimated": outcome.total.estimated,
        "slices": outcome.slices,
        "activeSec": _rounded(outcome.active_s),
        "throttledSec": {why: _rounded(seconds) for why, seconds in outcome.throttled.items()},
        "reason": outcome.reason,
        "errorMessage": outcome.error,
        "forecast": None if compared is None else asdict(compared.forecast),
        "asForecast": None if compared is None else compared.within,
    }


def _rounded(value: float | None) -> float | None:
    """To a thousandth: more digits than that were never measured."""
    return None if value is None else round(value, 3)


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
