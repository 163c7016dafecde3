"""/api/imports and the operator's verbs: what was imported, and requests to import or to steer a migration.

A request is one row, left in one short turn of a connection of its own; the writer does the work.
"""

import re
from pathlib import Path
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import JSONBody, PathParameter
from msgspec import Struct

from hopscope.api.access import OPEN, OPERATOR, operator
from hopscope.api.context import Given
from hopscope.api.directories import without_directories
from hopscope.api.errors import BadRequest, NotFound
from hopscope.api.migrations_status import as_it_is
from hopscope.api.writer_status import STOPPED, UNKNOWN
from hopscope.migrations import operating, report
from hopscope.migrations.operating import NoSuchMigration, NoSuchVerb, RequestRefused
from hopscope.store import imports, ledger
from hopscope.store.errors import translated
from hopscope.store.pool import Snapshot

FILES_SHOWN = 200
SUFFIXES = frozenset({".db", ".sqlite", ".sqlite3"})
NAME = re.compile(r"[\w][\w.\- ]{0,199}")


class Refused(HTTPException):
    """The migration's state does not allow what is asked."""

    status_code = 409


class ImportFile(Struct):
    """The name of a file of the import directory, without a directory."""

    file: str


class Asked(Struct, rename="camel"):
    """A request that was left for the writer."""

    request: str
    migration: str | None = None
    number: int | None = None


@get("/api/imports", opt=OPEN, sync_to_thread=True, tags=["migrations"])
def list_imports(context: Given) -> dict[str, Any]:
    """Every import with its report, oldest first. Paths are shown as file names.

    state: requested, waiting (asked for, and no process is there to begin), running, paused, interrupted (goes on with
    the next writer), done, failed, cancelled, refused.
    """
    writer = context.writer.current().state
    works = None if writer == UNKNOWN else writer != STOPPED
    now_s = context.now_ms() / 1000

    def reports(db: Snapshot) -> list[dict[str, Any]]:
        rows = as_it_is(ledger.rows(db), now_s=now_s)
        jobs = imports.every(db)
        return [report.as_json(job, rows, state=report.standing(job, rows, works=works)) for job in jobs]

    return {"imports": [_for_strangers(one) for one in context.pool.read(reports)]}


def _for_strangers(one: dict[str, Any]) -> dict[str, Any]:
    def shown(text: str | None) -> str | None:
        return text and without_directories(text, one["file"])

    migrations = [{**migration, "error": shown(migration["error"])} for migration in one["migrations"]]
    return {**one, "file": Path(one["file"]).name, "error": shown(one["error"]), "migrations": migrations}


@get("/api/admin/import-files", opt=OPERATOR, guards=[operator], sync_to_thread=True, tags=["migrations"])
def list_files(context: Given) -> dict[str, Any]:
    """Database files of the configured import directory; none configured: configured false.

    refused: those that would not be imported, each with the reason.
    """
    directory = context.settings.import_dir
    if directory is None:
        return {"configured": False, "files": [], "refused": []}
    place = Path(directory)
    try:
        names = sorted(p.name for p in place.iterdir() if p.suffix in SUFFIXES and p.is_file())[:FILES_SHOWN]
    except OSError as problem:
        raise BadRequest(f"the import directory cannot be read: {problem.strerror}") from problem
    judged = {name: _why_not(place.resolve(), name) for name in names}
    return {
        "configured": True,
        "files": [name for name, why in judged.items() if why is None],
        "refused": [{"file": name, "reason": why} for name, why in judged.items() if why is not None],
    }


@post("/api/admin/imports", opt=OPERATOR, guards=[operator], sync_to_thread=True, status_code=202, tags=["migrations"])
def ask_for_import(context: Given, data: JSONBody[ImportFile]) -> Response[Asked]:
    """Ask the writer to import a file of the configured import directory."""
    path = _inside(context.settings.import_dir, data.file)
    with translated():
        number = operating.ask_for_import(context.settings.database, path, by="api", now_ms=context.now_ms())
    return Response(Asked("import", number=number), status_code=202)


def _inside(directory: str | None, name: str) -> Path:
    """The file of this name in the directory; links that lead out of it are refused."""
    if directory is None:
        raise BadRequest("imports from the page are off: no import directory is configured (HOPSCOPE_IMPORT_DIR)")
    if not NAME.fullmatch(name):
        raise BadRequest("file is the name of a file in the import directory, without a directory")
    place = Path(directory).resolve()
    if _why_not(place, name) is not None or not (place / name).is_file():
        raise NotFound("there is no such file in the import directory")
    return (place / name).resolve()


def _why_not(place: Path, name: str) -> str | None:
    """Why a file of this directory is not imported; None: it is."""
    if not NAME.fullmatch(name):
        return "its name begins with, or holds, a character other than letters, digits, '_', '-', '.' and spaces"
    try:
        leads_out = (place / name).resolve().parent != place
    except OSError:  # a link to itself
        leads_out = True
    return "it is a link that leads out of the import directory" if leads_out else None


@post(
    "/api/admin/migrations/{name:str}/{verb:str}",
    opt=OPERATOR,
    guards=[operator],
    sync_to_thread=True,
    status_code=202,
    tags=["migrations"],
    raises=[NotFound, Refused],
)
def ask_migration(
    context: Given,
    name: Annotated[str, PathParameter(max_length=200, description="The migration's name in the ledger.")],
    verb: Annotated[str, PathParameter(max_length=200, description="pause, resume, cancel, retry or acknowledge.")],
) -> Response[Asked]:
    """pause, resume, cancel, retry or acknowledge a migration. 404: no such one or verb; 409: not in its state."""
    try:
        with translated():
            operating.ask(context.settings.database, name, verb, by="api")
    except (NoSuchMigration, NoSuchVerb) as problem:
        raise NotFound(str(problem)) from problem
    except RequestRefused as problem:
        raise Refused(str(problem)) from problem
    return Response(Asked(verb, migration=name), status_code=202)


ROUTES = (list_imports, list_files, ask_for_import, ask_migration)
