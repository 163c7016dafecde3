"""A PostgreSQL server of the tests' own: initdb, start, stop. Durable as in life (fsync on), on a free local port."""

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg
from services import find

from inchworm.clock import Clock
from inchworm.ports import Database, SqlValue
from inchworm.postgres import connect

LOCK_MS = 5_000  # another connection of a test raises instead of waiting for ever
_numbers = itertools.count(1)


class Server:
    """One cluster in a folder of its own, run as `postgres` when the tests run as root, which PostgreSQL refuses."""

    def __init__(self, settings: Sequence[str] = (), standby_of: "Server | None" = None) -> None:
        initdb = find("postgres")
        assert initdb is not None
        self._bin = Path(initdb).resolve().parent
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.folder = Path(tempfile.mkdtemp(prefix="inchworm-pg-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, self._user)
        self.data, self.port = self.folder / "data", _free_port()
        if standby_of is None:
            self._call("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        else:
            self._call("pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-d", standby_of.url("postgres"))
        lines = [
            "listen_addresses = '127.0.0.1'",
            f"port = {self.port}",
            "unix_socket_directories = ''",
            "fsync = on",
            "max_connections = 50",
            "shared_buffers = 64MB",
            *settings,
        ]
        with (self.data / "postgresql.auto.conf").open("a") as conf:
            conf.write("\n".join(lines) + "\n")
        self.start()

    def _call(self, program: str, *arguments: object) -> None:
        account = pwd.getpwnam(self._user)
        done = subprocess.run(
            [str(self._bin / program), *map(str, arguments)],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **({"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}),
        )
        assert done.returncode == 0, f"{program}: {done.stdout}"

    def start(self) -> None:
        self._call("pg_ctl", "-D", self.data, "-l", self.folder / "log", "-w", "-s", "start")

    def stop(self, how: str = "fast") -> None:
        self._call("pg_ctl", "-D", self.data, "-w", "-s", "-m", how, "stop")

    def remove(self) -> None:
        """Stop it and leave nothing behind."""
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresHarness:
    """Fresh schemas in one database, for the conformance suite: as good as databases, and made in no time."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def fresh(self) -> str:
        schema = f"t{os.getpid()}_{next(_numbers)}"
        self.execute(self.server.url("postgres"), f"create schema {schema}")
        return f"{self.server.url('postgres')}?options=-csearch_path%3D{schema}"

    def open(self, target: str, clock: Clock | None = None) -> Database:
        return connect(target, clock=clock)

    def execute(self, target: str, *statements: str) -> None:
        with psycopg.connect(target, autocommit=True) as connection:
            connection.execute(f"set lock_timeout = {LOCK_MS}")
            for statement in statements:
                connection.execute(statement)

    def rows(self, target: str, statement: str) -> Sequence[tuple[SqlValue, ...]]:
        with psycopg.connect(target, autocommit=True) as connection:
            connection.execute(f"set lock_timeout = {LOCK_MS}")
            return connection.execute(statement).fetchall()
