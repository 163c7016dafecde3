"""Write the browser's vocabulary, web/static/js/generated.js, from the Python enums that own it.

`--check` writes nothing and fails when the file is stale.
"""

import json
import sys
from pathlib import Path

from inchworm.errors import RequestRefused
from inchworm.states import ACTIVE, ENDED, Status, Verb, asked
from meshwire.enums import PayloadType, Role, Route

TARGET = Path(__file__).parent.parent / "packages/hopscope/src/hopscope/web/static/js/generated.js"

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
    values = {
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


def main() -> None:
    """Write the file, or say that it is stale."""
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text():
            sys.exit(f"{TARGET.name} is stale: run python tools/generate_js.py")
        return
    TARGET.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
