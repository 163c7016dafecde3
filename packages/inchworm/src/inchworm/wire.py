"""Statuses as JSON, for the command line and for HTTP: one fixed set of keys, null where something is unknown."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

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
        "rate": status.rate,
        "etaSeconds": status.eta_s,
        "elapsedSec": status.elapsed_s,
        "activeSec": status.active_s,
        "throttledSec": dict(status.throttled),
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


def report_json(report: Report) -> dict[str, Any]:
    """What a run returned."""
    return {
        "ok": report.ok,
        "migrations": [_outcome_json(outcome) for outcome in report.outcomes],
        "parked": list(report.parked),
        "warnings": list(report.warnings),
        "elapsedSec": report.elapsed_s,
        "turns": report.turns,
        "longestHoldMs": report.longest_hold_s * 1000,
        "budgetIsBestEffort": report.budget_is_best_effort,
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    counts = outcome.counts
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
        "activeSec": outcome.active_s,
        "throttledSec": dict(outcome.throttled),
        "reason": outcome.reason,
        "errorMessage": outcome.error,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
