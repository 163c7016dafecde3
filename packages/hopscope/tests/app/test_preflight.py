"""What cannot work is said in one sentence before anything starts."""

import os
import socket
from pathlib import Path

import pytest

from hopscope.app.preflight import CannotStart, check_database, check_listen


def test_a_free_port_of_this_machine_is_fine() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    check_listen("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CannotStart, match="no address of this machine"):
        check_listen("192.0.2.1", 8080)


def test_a_port_in_use_names_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"HOPSCOPE_LISTEN=127.0.0.1:{port + 1}"):
            check_listen("127.0.0.1", port)


def test_a_missing_or_empty_file_and_an_sqlite_file_are_fine(tmp_path: Path) -> None:
    check_database(str(tmp_path / "new" / "x.db"))
    assert (tmp_path / "new").is_dir()
    (tmp_path / "empty.db").touch()
    check_database(str(tmp_path / "empty.db"))
    (tmp_path / "x.db").write_bytes(b"SQLite format 3\0and so on")
    check_database(str(tmp_path / "x.db"))


def test_a_file_of_another_kind_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "diary").write_text("Dear diary")
    with pytest.raises(CannotStart, match="is not a database"):
        check_database(str(tmp_path / "diary"))
    assert (tmp_path / "diary").read_text() == "Dear diary"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="is a directory"):
        check_database(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_rights_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CannotStart, match="not writable"):
        check_database(str(tmp_path / "x.db"))


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="HOPSCOPE_DATABASE"):
        check_database(str(tmp_path / "file" / "x.db"))
