"""The outside programs that tests use: where they are looked for, and what to do when one is missing."""

import glob
import shutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """One outside program; `places` are tried after PATH and may hold wildcards (newest version wins)."""

    commands: tuple[str, ...]
    places: tuple[str, ...]
    hint: str


SERVICES = {
    "mosquitto": Service(("mosquitto",), ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"), "apt install mosquitto"),
    "chromium": Service(
        ("chromium", "chromium-browser", "google-chrome"), ("/usr/bin/chromium",), "apt install chromium"
    ),
    "postgres": Service(("initdb",), ("/usr/lib/postgresql/*/bin/initdb",), "apt install postgresql"),
}


def find(name: str) -> str | None:
    """Path of the service's program, or None when it is not on this machine."""
    service = SERVICES[name]
    for command in service.commands:
        if path := shutil.which(command):
            return path
    found = [path for place in service.places for path in glob.glob(place)]
    return max(found, default=None)
