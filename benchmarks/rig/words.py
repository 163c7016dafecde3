"""Runs in words: a line while the benchmark goes on, a Markdown table at its end. Every percentile beside its n."""

from collections.abc import Mapping
from typing import Any

from rig.measure import DISTURBED_CPUS

Run = Mapping[str, Any]


def line(name: str, run: Run) -> str:
    """One run in words. Every percentile stands beside its n and maximum."""
    words = [f"{name:<32} {run['total_s']:7.2f} s"]
    if run["writer_n"]:
        words.append(
            f"writer p99 {run['writer_stall_p99_ms']:7.1f} max {run['writer_stall_max_ms']:7.1f} ms "
            f"(n {run['writer_n']}, {run['writer_errors']} errors)"
        )
    if run["reader_n"]:
        words.append(
            f"reader p50 {run['reader_p50_ms']:.1f} p99 {run['reader_p99_ms']:.1f} max {run['reader_max_ms']:.1f} ms "
            f"(n {run['reader_n']}; idle p99 {run['reader_p99_idle_ms']:.1f} max {run['reader_max_idle_ms']:.1f} "
            f"n {run['reader_n_idle']})"
        )
    if run["lock_hold_max_ms"] is not None:
        words.append(f"hold {run['lock_hold_max_ms']:.1f} ms  WAL {run['wal_peak_mb']:.1f} MB")
        words.append(f"examined {run['rows_examined']} changed {run['rows_changed']} wrong {run['wrong_rows']}")
    if run["bookkeeping_share"] is not None:
        words.append(
            f"bookkeeping {run['bookkeeping_share']:.1%} turns {run['turns']} waited {run['throttled_s']:.2f} s"
        )
    if run["other_programs_cpus"] > DISTURBED_CPUS:
        words.append(f"DISTURBED: others used {run['other_programs_cpus']:.1f} CPUs")
    return "  ".join(words)


def table(runs: Mapping[str, Run]) -> str:
    """Strategies as a Markdown table, from medians."""
    rows = [
        "| strategy | total | longest wait of a writer (p99) | reader p99 (idle) | longest hold | log | wrong rows |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, run in runs.items():
        cells = (name, *_loaded(run), *_own(run))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _loaded(run: Run) -> tuple[str, str, str]:
    writer = f"{run['writer_stall_max_ms']:,.0f} ({run['writer_stall_p99_ms']:,.0f}) ms" if run["writer_n"] else ""
    reader = f"{run['reader_p99_ms']:,.0f} ({run['reader_p99_idle_ms']:,.0f}) ms" if run["reader_n"] else ""
    return f"{run['total_s']:.2f} s", writer, reader


def _own(run: Run) -> tuple[str, str, str]:
    hold = f"{run['lock_hold_max_ms']:,.0f} ms" if run["lock_hold_max_ms"] is not None else ""
    wrong = f"{run['wrong_rows']:.0f}" if run["wrong_rows"] is not None else ""
    return hold, f"{run['wal_peak_mb']:.0f} MB", wrong
