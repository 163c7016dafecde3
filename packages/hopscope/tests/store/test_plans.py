"""Hot statements name their index: no scan of a table that grows with the history, no sort of a page."""

import re
from pathlib import Path

import apsw
import pytest

from hopscope.store import nodes, packets, schema
from hopscope.store.connection import open_writer, sql

GROWING = ("transmissions", "observations", "quarantine", "traffic_hourly", "observer_metrics")
ALIASES = {"t": "transmissions", "o": "observations", "q": "quarantine", "m": "observer_metrics"}
NEWEST_FIRST = {"quarantine.newest", "live.newest_id", "nodes.reach"}  # read from the end, with a limit
SORTED_AS_A_WHOLE = {  # bounded by what they sort: small tables, or a known number of rows
    "nodes.sorted", "nodes.reach", "hash_sizes.top_hops", "packets.among", "packets.observations", "observers.all",
    "channels.all", "sources.all", "quarantine.counts", "writer_stats.all", "stats.node_roles",
}  # fmt: skip


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> apsw.Connection:
    made = open_writer(str(tmp_path_factory.mktemp("plans") / "mesh.db"))
    schema.prepare(made)
    return made


def statements() -> dict[str, str]:
    """Every statement of the read side as it is run, by file and name."""
    found = {}
    for file in ("channels", "hash_sizes", "live", "observers", "quarantine", "sources", "stats", "writer_stats"):
        found |= {f"{file}.{name}": text for name, text in sql(file).items()}
    for name in sql("nodes").keys() - {"columns", "filters"}:
        found[f"nodes.{name}"] = nodes.statement(name)
    for name in sql("packets").keys() - {"filters", "counted", "among"}:
        if "include: filters" in sql("packets")[name]:
            driver, order = name.rsplit("_", 1)
            for filtered in (False, True):
                found[f"packets.{name}{'+' if filtered else ''}"] = packets.statement(driver, order == "asc", filtered)
        else:
            found[f"packets.{name}"] = sql("packets")[name]
    found["packets.among"] = packets.among()
    return found


def plan(db: apsw.Connection, text: str) -> list[str]:
    names = set(re.findall(r"(?<!:):(\w+)", text))
    bindings = dict.fromkeys(names) if names else (None,) * text.count("?")
    return [str(row[3]) for row in db.execute(f"explain query plan {text}", bindings)]


@pytest.mark.parametrize("name", sorted(statements()))
def test_no_statement_scans_a_table_that_grows(db: apsw.Connection, name: str) -> None:
    steps = plan(db, statements()[name])
    for step in steps:
        scanned = re.match(r"SCAN (\w+)", step)
        if scanned and name not in NEWEST_FIRST:
            assert ALIASES.get(scanned[1]) not in GROWING, steps


@pytest.mark.parametrize("name", sorted(statements()))
def test_no_page_is_sorted_after_it_was_read(db: apsw.Connection, name: str) -> None:
    steps = plan(db, statements()[name])
    if name in SORTED_AS_A_WHOLE:
        return
    assert not [step for step in steps if "TEMP B-TREE FOR ORDER BY" in step], steps


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("packets.by_first_seen_desc", "transmissions_by_first_seen (first_seen>? AND first_seen<?)"),
        ("packets.by_first_seen_asc+", "transmissions_by_first_seen (first_seen>? AND first_seen<?)"),
        ("packets.by_latest_desc", "transmissions_by_latest (<expr>>? AND <expr><?)"),
        ("packets.by_latest_desc+", "transmissions_by_latest (<expr>>? AND <expr><?)"),
        ("packets.by_type_desc", "transmissions_by_type (type=? AND first_seen>? AND first_seen<?)"),
        ("packets.by_channel_desc", "transmissions_by_channel (channel_id=? AND first_seen>? AND first_seen<?)"),
        ("packets.by_node_desc", "transmissions_by_node (node_id=? AND first_seen>? AND first_seen<?)"),
        ("packets.observations", "observations_by_transmission (transmission_id=?)"),
        ("packets.observers_of", "COVERING INDEX observations_by_transmission (transmission_id=?"),
        ("packets.packets_heard_by", "observations_by_observer (observer_id=?)"),
        ("packets.times", "transmissions_by_first_seen (first_seen>?)"),
        ("nodes.newest", "nodes_by_last_seen (last_seen<?)"),
        ("nodes.between", "(pubkey>? AND pubkey<?)"),
        ("nodes.candidates", "(pubkey>? AND pubkey<?)"),
        ("nodes.adverts_since", "transmissions_by_node (node_id=? AND first_seen>?)"),
        ("stats.receptions_between", "observations_by_observer (observer_id=? AND heard_at>? AND heard_at<?)"),
        ("stats.receptions_in_hours", "PRIMARY KEY (hour>?)"),
        ("live.after", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("quarantine.of_reason", "quarantine_by_reason (reason=?)"),
        ("observers.metrics", "PRIMARY KEY (observer_id=? AND at>? AND at<?)"),
    ],
)
def test_a_hot_statement_names_its_index(db: apsw.Connection, name: str, index: str) -> None:
    steps = plan(db, statements()[name])
    assert any(index in step for step in steps), steps


def test_every_statement_has_a_file_of_its_owner() -> None:
    files = {path.stem for path in Path(packets.__file__).with_name("sql").glob("*.sql")}
    assert {name.split(".")[0] for name in statements()} <= files
