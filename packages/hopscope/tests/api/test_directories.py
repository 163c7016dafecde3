"""A text for strangers names files, not the places where an operator keeps them; nothing else of it changes."""

from collections.abc import Callable
from typing import Any

import pytest

from hopscope.api import errors
from hopscope.api.directories import without_directories
from hopscope.store.errors import StoreUnavailable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("there is no file /srv/mesh/meshcore.db", "there is no file meshcore.db"),
        ("/srv/mesh/a.db and /home/op/b.db differ", "a.db and b.db differ"),
        ("/srv/a.db,/home/op/b.db;/home/op/c.db:/opt/x/d.db", "a.db,b.db;c.db:d.db"),
        ("cannot open '/srv/my data (2)/a.db': locked", "cannot open 'a.db': locked"),
        ('no "/srv/x y.z/a.db-wal" beside (/srv/b.db-shm)', 'no "a.db-wal" beside (b.db-shm)'),
        ("no file /srv/my data/a.db is here", "no file a.db is here"),
        ("/srv/x/cut.db-journal: was cut off", "cut.db-journal: was cut off"),
        ("open failed:/srv/x/a.db", "open failed:a.db"),
        ("file:///srv/x/a.db?mode=ro or file:/srv/b.db", "file://a.db?mode=ro or file:b.db"),
        ("path=/srv/x/a.db", "path=a.db"),
        ("the disk of /var/lib/hopscope has 3 MB free", "the disk of hopscope has 3 MB free"),
        ("kept in /var/lib/hopscope/", "kept in hopscope/"),
        ("/srv//mesh//a.db", "a.db"),
        ("two\nlines: /srv/x/a.db\n/srv/y/b.db", "two\nlines: a.db\nb.db"),
    ],
)
def test_of_a_path_only_the_last_name_is_shown(text: str, shown: str) -> None:
    assert without_directories(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "n/a", "1/2 of the rows", "1 / 2", "(1)/2", "12/40 MB/s, and/or more", "",
        "see https://example.org/docs/a.html or http://[::1]:8080/api/x/y", "mqtt://broker:1883/meshcore/x/y",
        "data/mesh/a.db", "./data/mesh/a.db", "../x/a.db", "meshcore/BER/AB/packets", "no such column: x",
    ],
)  # fmt: skip
def test_what_is_no_absolute_path_stays(text: str) -> None:
    assert without_directories(text) == text


@pytest.mark.parametrize("text", ["/srv/x/a.db is n/a", "/srv/x/a.db: 1/2 read", "/srv/x/a.db 1/2"])
def test_what_stands_behind_a_path_stays(text: str) -> None:
    assert without_directories(text) == text.replace("/srv/x/", "")


def test_a_known_file_is_found_whatever_its_directory_is_called() -> None:
    place = "/srv/Op's. data; (2) : x/a.db"
    assert without_directories(f"{place} is damaged; {place}-wal too", place) == "a.db is damaged; a.db-wal too"


def test_an_answer_that_the_database_cannot_be_read_does_not_say_where_it_lies() -> None:
    unavailable: Callable[..., Any] = errors.unavailable
    answer = unavailable(None, StoreUnavailable("/srv/mesh/hopscope.db is locked"))
    assert (answer.status_code, answer.content.error) == (503, "hopscope.db is locked")
