"""A forecast of an import as text and as JSON."""

from typing import Any

from hopscope.migrations.forecast import UNDER_LOAD, Forecast
from hopscope.migrations.service import DISK_FLOOR_BYTES

MIB = 1 << 20


def forecast_json(found: Forecast) -> dict[str, Any]:
    """For machines; sizes in bytes, times in seconds on an idle machine."""
    return {
        "tables": [
            {
                "table": plan.name,
                "rows": found.sizes.get(plan.name, 0),
                "comesAlong": plan.left_out is None,
                "reason": plan.left_out,
                "alreadyImportedUpTo": plan.key_after or None,
                "rowsToRead": plan.total,
            }
            for plan in found.plans
        ],
        "seconds": round(found.seconds, 1),
        "secondsUnderLoad": round(found.seconds * UNDER_LOAD, 1),
        "bytesNeeded": found.bytes_needed,
        "bytesFree": found.bytes_free,
        "fits": found.fits,
        "walBytes": found.wal_bytes,
        "longestHoldMs": round(found.longest_hold_s * 1000, 1),
        "pastRetention": {
            "transmissions": found.past_retention.transmissions,
            "observations": found.past_retention.observations,
            "countedAll": found.past_retention.whole,
        },
        "sampledRows": found.sampled_rows,
        "warnings": list(found.warnings),
    }


def forecast_text(found: Forecast) -> str:
    """For people."""
    lines = [f"{'table':<20}{'rows':>12}{'to read':>12}"]
    lines += [
        f"{plan.name:<20}{found.sizes.get(plan.name, 0):>12,}{plan.total if plan.left_out is None else 0:>12,}"
        + (f"  stays behind: {plan.left_out}" if plan.left_out else "")
        for plan in found.plans
    ]
    lines += [
        "",
        f"measured on a sample of {found.sampled_rows:,} rows of this file, imported here and thrown away:",
        f"  time        about {_duration(found.seconds)}, twice that beside live traffic and readers",
        f"  disk        {found.bytes_needed // MIB:,} MB more; {found.bytes_free // MIB:,} MB are free, of which "
        f"{DISK_FLOOR_BYTES // MIB} MB are left alone",
        f"  log (WAL)   up to {max(-(-found.wal_bytes // MIB), 1)} MB",
        f"  lock        held for at most {found.longest_hold_s * 1000:.0f} ms at a time",
        "",
        "the file is only read; to go back, keep using it",
        *(f"warning: {warning}" for warning in found.warnings),
    ]
    return "\n".join(lines) + "\n"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"
