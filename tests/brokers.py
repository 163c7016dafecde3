"""A real mosquitto for tests: on a free port of 127.0.0.1, with the listeners and options that a test asks for."""

import datetime
import getpass
import ipaddress
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from services import find

START_TIMEOUT_S = 10.0


@dataclass
class Mosquitto:
    """One broker. Used with `with`; `kill` and `start` in between leave its queues on disk."""

    directory: Path
    options: tuple[str, ...] = ("allow_anonymous true", "max_queued_messages 0")
    port: int = field(default_factory=lambda: free_port())
    tls_port: int | None = None
    ws_port: int | None = None
    wss_port: int | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it and wait until every listener answers."""
        program = find("mosquitto")
        assert program is not None, "mosquitto is missing"
        config = self.directory / "mosquitto.conf"
        config.write_text("\n".join(self._lines()) + "\n")
        with (self.directory / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        for port in filter(None, (self.port, self.tls_port, self.ws_port, self.wss_port)):
            self._wait_for(port)

    def stop(self) -> None:
        """End it in order; its queues are saved."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> "Mosquitto":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """The plain listener's address."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The certificate that TLS clients must trust."""
        return self.directory / "cert.pem"

    def _lines(self) -> list[str]:
        lines = [
            f"user {getpass.getuser()}",
            "persistence true",
            f"persistence_location {self.directory}/",
            *self.options,
        ]
        lines += [f"listener {self.port} 127.0.0.1"]
        if self.tls_port or self.wss_port:
            make_certificate(self.directory)
        tls = [f"certfile {self.directory}/cert.pem", f"keyfile {self.directory}/key.pem"]
        if self.tls_port:
            lines += [f"listener {self.tls_port} 127.0.0.1", *tls]
        if self.ws_port:
            lines += [f"listener {self.ws_port} 127.0.0.1", "protocol websockets"]
        if self.wss_port:
            lines += [f"listener {self.wss_port} 127.0.0.1", "protocol websockets", *tls]
        return lines

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("mosquitto does not listen: " + (self.directory / "mosquitto.log").read_text())

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            self.process = None


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificate(directory: Path) -> None:
    """A self-signed certificate for 127.0.0.1, and its key: cert.pem and key.pem."""
    if (directory / "cert.pem").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hopscope test broker")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
