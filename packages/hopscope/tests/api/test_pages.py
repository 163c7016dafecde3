"""The shell of the web app and what is said where there is no page."""

from collections.abc import Callable
from typing import Any

import pytest
from meshes import Mesh

Start = Callable[..., Any]


def test_who_follows_a_link_to_nowhere_gets_the_app_which_says_so(mesh: Mesh, start: Start) -> None:
    answer = start().get("/nowhere/at/all", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert '<script type="module"' in answer.text


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/nowhere", "*/*"), ("/api/nowhere", "text/html"), ("/static/nothing.js", "text/html")],
)
def test_who_asks_for_data_or_a_file_that_is_not_there_gets_an_error(
    mesh: Mesh, start: Start, path: str, accept: str
) -> None:
    answer = start().get(path, headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.json()["error"]
