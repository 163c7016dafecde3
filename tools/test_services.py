"""Say which outside programs the tests will find, or install them when HOPSCOPE_APT=1.

HOPSCOPE_REQUIRE=mosquitto,chromium,postgres turns a missing one into a failure. The names are those of the pytest
marks in pyproject.toml; where each program is looked for is said in tests/services.py, which the tests use too.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from services import SERVICES, find

APT = {"mosquitto": "mosquitto", "chromium": "chromium", "postgres": "postgresql"}


def main() -> None:
    required = [name for name in os.environ.get("HOPSCOPE_REQUIRE", "").split(",") if name]
    unknown = sorted(set(required) - set(SERVICES))
    if unknown:
        sys.exit(f"HOPSCOPE_REQUIRE names {', '.join(unknown)}; known are {', '.join(SERVICES)}")
    missing = [name for name in SERVICES if find(name) is None]
    if missing and os.environ.get("HOPSCOPE_APT") == "1":
        install([APT[name] for name in missing])
        missing = [name for name in SERVICES if find(name) is None]
    for name in missing:
        print(f"{name}: not found, its tests are skipped ({SERVICES[name].hint})")
    absent = sorted(set(missing) & set(required))
    if absent:
        sys.exit(f"required by HOPSCOPE_REQUIRE, but not found: {', '.join(absent)}")


def install(packages: list[str]) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        check=True,
        env=quiet,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
