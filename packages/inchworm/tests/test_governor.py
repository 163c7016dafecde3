"""The governor keeps the log short beside strangers, sees what pins it, and adds nothing on versions with the bug."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inchworm.checkpoint import CHECKPOINT_PAGES, RESTART_PAGES
from inchworm.ports import Limits
from inchworm.sqlite.driver import Driver, open_path
from inchworm.sqlite.governor import DISK_FLOOR, NOOP, WAL_TOO_LONG, Governor
from inchworm.sqlite.versions import parse_version
from inchworm.testing import FakeClock

PAGE = 4096
BOTH = pytest.mark.parametrize("library", ["apsw", "sqlite3"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "mesh.db").touch()
    driver = open_path(tmp_path / "mesh.db", read_only=False)
    driver.run("pragma journal_mode = wal")
    driver.run("create table t (x)")
    driver.close()
    return tmp_path / "mesh.db"


@pytest.fixture
def open_driver(path: Path) -> Iterator[list[Driver]]:
    opened: list[Driver] = []
    yield opened
    for driver in opened:
        driver.close()


def opened(path: Path, drivers: list[Driver], library: str = "apsw") -> Driver:
    driver = open_path(path, read_only=False, library=library)
    driver.run("pragma wal_autocheckpoint = 0")
    drivers.append(driver)
    return driver


def fill(driver: Driver, pages: int) -> None:
    driver.run(
        "with recursive n (i) as (values (1) union all select i + 1 from n where i < :n)"
        " insert into t select zeroblob(4000) from n",
        {"n": pages},
    )


def governor(driver: Driver, path: Path, *, may_checkpoint: bool = True) -> Governor:
    return Governor(driver, FakeClock(), str(path), PAGE, wal=True, may_checkpoint=may_checkpoint)


def log_bytes(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


@BOTH
def test_a_full_log_is_moved_into_the_file(path: Path, open_driver: list[Driver], library: str) -> None:
    driver = opened(path, open_driver, library)
    kept = governor(driver, path)
    fill(driver, CHECKPOINT_PAGES + 10)
    assert kept.upkeep(Limits(disk_floor_bytes=0)).wal_bytes == 0


def test_a_log_is_used_again_although_a_stranger_commits_during_every_checkpoint(
    path: Path, open_driver: list[Driver]
) -> None:
    driver, stranger = opened(path, open_driver), opened(path, open_driver)
    assert parse_version(driver.version) >= NOOP
    kept = governor(driver, path)
    run = driver.run

    def with_a_stranger(sql: str, params: object = ()) -> object:
        found = run(sql, params)  # type: ignore[arg-type]
        if "passive" in sql:
            fill(stranger, 1)
        return found

    driver.run = with_a_stranger  # type: ignore[method-assign,assignment]
    for _ in range(20):
        fill(driver, 500)
        kept.upkeep(Limits(disk_floor_bytes=0))
    assert log_bytes(path) < 2 * RESTART_PAGES * PAGE


def test_a_pinned_reader_is_a_reason_to_pause_and_its_end_lifts_it(path: Path, open_driver: list[Driver]) -> None:
    driver, reader = opened(path, open_driver), opened(path, open_driver)
    kept = governor(driver, path)
    reader.run("begin")
    reader.run("select count(*) from t")
    fill(driver, 2 * CHECKPOINT_PAGES)
    limits = Limits(wal_cap_bytes=CHECKPOINT_PAGES * PAGE, disk_floor_bytes=0)
    assert kept.upkeep(limits).hold == WAL_TOO_LONG
    reader.run("rollback")
    assert kept.upkeep(limits).hold is None


def test_no_checkpoint_is_added_where_two_of_them_could_corrupt_the_file(path: Path, open_driver: list[Driver]) -> None:
    driver = opened(path, open_driver)
    kept = governor(driver, path, may_checkpoint=False)
    fill(driver, 2 * CHECKPOINT_PAGES)
    said: list[str] = []
    run = driver.run
    driver.run = lambda sql, params=(): said.append(sql) or run(sql, params)  # type: ignore[method-assign,func-returns-value]
    kept.upkeep(Limits(disk_floor_bytes=0))
    assert said == []


def test_a_disk_below_its_floor_is_a_reason_to_pause(path: Path, open_driver: list[Driver]) -> None:
    kept = governor(opened(path, open_driver), path)
    assert kept.upkeep(Limits(disk_floor_bytes=1 << 60)).hold == DISK_FLOOR
