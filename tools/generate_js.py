"""Write what the web app has from Python: the vocabulary in js/generated.js, the list of early modules in index.html.

`--check` writes nothing and fails when one of them is stale.
"""

import json
import re
import sys
from pathlib import Path

from inchworm.errors import RequestRefused
from inchworm.states import ACTIVE, ENDED, Status, Verb, asked
from meshwire.enums import PayloadType, Role, Route

STATIC = Path(__file__).parent.parent / "packages/hopscope/src/hopscope/web/static"
TARGET = STATIC / "js" / "generated.js"
INDEX = STATIC / "index.html"
FIRST_MODULE = STATIC / "js" / "main.js"
PRELOADS = re.compile(r"(?<=<!-- modules of the first page -->\n).*?(?=<!-- end of modules -->)", re.DOTALL)
IMPORT = re.compile(r"""(?:from|import)\s*["'](\.[^"']+)["']""")  # not import(…): that is asked for later

# Words for people. A value without an entry is not offered for choice; the app shows it by its number.
PAYLOAD_LABELS = {
    PayloadType.REQ: "Request",
    PayloadType.RESPONSE: "Response",
    PayloadType.TXT_MSG: "Direct text",
    PayloadType.ACK: "Ack",
    PayloadType.ADVERT: "Advert",
    PayloadType.GRP_TXT: "Channel text",
    PayloadType.GRP_DATA: "Channel data",
    PayloadType.ANON_REQ: "Anonymous request",
    PayloadType.PATH: "Path",
    PayloadType.TRACE: "Trace",
    PayloadType.MULTIPART: "Multipart",
    PayloadType.CONTROL: "Control",
    PayloadType.RAW_CUSTOM: "Raw",
}
ROUTE_LABELS = {
    Route.TRANSPORT_FLOOD: "Flood, scoped",
    Route.FLOOD: "Flood",
    Route.DIRECT: "Direct",
    Route.TRANSPORT_DIRECT: "Direct, scoped",
}
# the API's name of a role (that of the older analyzers) and its word
ROLE_NAMES = {
    Role.NONE: ("none", "No role"),
    Role.CHAT: ("companion", "Companion"),
    Role.REPEATER: ("repeater", "Repeater"),
    Role.ROOM: ("room", "Room"),
    Role.SENSOR: ("sensor", "Sensor"),
}


def verbs_of(status: Status) -> list[str]:
    """What an operator may ask of a migration in this state."""

    def fits(verb: Verb) -> bool:
        try:
            asked(verb, status)
        except RequestRefused:
            return False
        return True

    return [verb.value for verb in Verb if fits(verb)]


def text() -> str:
    """The whole module."""
    values: dict[str, list[dict[str, object]]] = {
        "PAYLOAD_TYPES": [{"value": v.value, "name": v.name, "label": label} for v, label in PAYLOAD_LABELS.items()],
        "ROUTES": [{"value": v.value, "name": v.name, "label": label} for v, label in ROUTE_LABELS.items()],
        "ROLES": [{"value": v.value, "name": name, "label": label} for v, (name, label) in ROLE_NAMES.items()],
        "MIGRATION_STATES": [
            {"name": s.value, "active": s in ACTIVE, "ended": s in ENDED, "verbs": verbs_of(s)} for s in Status
        ],
    }
    head = "// Made by tools/generate_js.py from the Python enums; change those and run it again.\n"
    return head + "".join(f"\nexport const {name} = {listed(rows)};\n" for name, rows in values.items())


def listed(rows: list[dict[str, object]]) -> str:
    """One row per line, so that a change reads well in a diff."""
    return "[\n" + "".join(f"  {json.dumps(row)},\n" for row in rows) + "]"


def modules_of(first: Path) -> list[Path]:
    """The module and all that it imports without being asked later, in the order a browser finds them."""
    found = [first]
    for module in found:
        for specifier in IMPORT.findall(module.read_text(encoding="utf-8")):
            imported = (module.parent / specifier).resolve()
            if imported not in found:
                found.append(imported)
    return found


def index() -> str:
    """index.html with a preload for each module of the first page: else a browser finds them one import at a time."""
    lines = [
        f'<link rel="modulepreload" href="/static/{module.relative_to(STATIC.resolve())}">\n'
        for module in modules_of(FIRST_MODULE.resolve())[1:]
    ]
    return PRELOADS.sub("".join(lines), INDEX.read_text(encoding="utf-8"))


def main() -> None:
    """Write the files, or say which of them is stale."""
    for path, wanted in ((TARGET, text()), (INDEX, index())):
        if "--check" not in sys.argv[1:]:
            path.write_text(wanted, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != wanted:
            sys.exit(f"{path.name} is stale: run python tools/generate_js.py")


if __name__ == "__main__":
    main()
