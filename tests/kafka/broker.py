"""An Apache Kafka broker for tests: one node of KRaft on free ports of this machine.

Where it comes from: ``PERMIT_LEDGER_TEST_KAFKA`` names one that runs; else Maven and Java make one.
It is ended by its process id, and ends with the process that started it.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Self
from uuid import uuid4

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
POM = HERE / "pom.xml"
RUNNING = "PERMIT_LEDGER_TEST_KAFKA"
DOWNLOAD_TIMEOUT_S = 420
PATIENCE = (
    "-Dmaven.wagon.http.retryHandler.count=1",
    "-Dmaven.wagon.rto=60000",
    "-Daether.connector.connectTimeout=15000",
    "-Daether.connector.requestTimeout=60000",
)
"""Of Maven's older and newer transports: it gives a repository that does not answer up sooner."""
START_TIMEOUT_S = 240
STOP_TIMEOUT_S = 20
LISTENING_POLL_S = 0.05

JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms128m", "-Xmx384m")

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=500
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
num.network.threads=2
num.io.threads=4
"""

LOGGING = """
status=error
appender.stdout.type=Console
appender.stdout.name=stdout
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%d %p %m (%c)%n
rootLogger.level=WARN
rootLogger.appenderRef.stdout.ref=stdout
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=INFO
"""


class NoBroker(Exception):
    """Says what is missing, and how to get it."""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def jars() -> Path:
    """The folder of the broker's jars, fetched once.

    Raises:
        NoBroker
    """
    for program, package in (("java", "default-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            raise NoBroker(f"{program} is missing (Debian: apt install {package})")
    [version] = re.findall(r"kafka_2.13</artifactId>\s*<version>([^<]+)<", POM.read_text())
    folder = ROOT / ".test-tools" / f"kafka-{version}"
    if not folder.exists():
        fetched = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        command = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
        options = ["-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
        sys.stderr.write(f"waiting for Maven to fetch Kafka (at most {DOWNLOAD_TIMEOUT_S} s)\n")
        try:
            done = subprocess.run(
                [*command, *options, *PATIENCE],
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=DOWNLOAD_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as late:
            shutil.rmtree(fetched, ignore_errors=True)
            raise NoBroker(f"Maven can't fetch the broker within {late.timeout:.0f} s") from None
        if done.returncode:
            shutil.rmtree(fetched, ignore_errors=True)
            raise NoBroker(f"Maven can't fetch the broker: {done.stdout[-500:]}")
        try:
            fetched.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(fetched)
    return folder


class Broker:
    """Our own. ``advertised`` is where clients are sent: another address than the broker's own
    where something stands between them. ``settings`` are more of its properties, later ones win;
    ``users`` are those of SASL, with their passwords."""

    def __init__(
        self,
        folder: Path | str,
        advertised: str | None = None,
        settings: str = "",
        users: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.port = Path(folder), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._log = self.folder / "broker.log"
        self._jars = jars()
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = self.folder / "server.properties"
        self._settings.write_text(
            PROPERTIES.format(
                port=self.port,
                controller_port=free_port(),
                advertised=advertised or self.address,
                folder=self.folder,
            )
            + settings
        )
        (self.folder / "log4j2.properties").write_text(LOGGING)
        known = [
            f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]"
            for name, password in (users or {}).items()
        ]
        format_storage = ["format", "-t", _cluster_id(), "-c", self._settings, *known]
        self._java("kafka.tools.StorageTool", *format_storage)

    def start(self) -> Self:
        """Returns when it takes connections."""
        command = [*JAVA, *self._options(), "kafka.Kafka", str(self._settings)]
        with self._log.open("ab") as log:
            started_at = log.tell()
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_TIMEOUT_S
        while b"Kafka Server started" not in self._log.read_bytes()[started_at:]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NoBroker(f"the broker does not start: {self._log.read_text()[-1500:]}")
            time.sleep(LISTENING_POLL_S)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.kill()  # its data is no longer needed

    def _options(self) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return [logging, "-cp", f"{self._jars}/*"]

    def _java(self, tool: str, *arguments: object) -> None:
        done = subprocess.run(
            [*JAVA, *self._options(), tool, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
        )
        if done.returncode:
            raise NoBroker(f"{tool} failed: {(done.stdout + done.stderr)[-1500:]}")


def _cluster_id() -> str:
    """A UUID as Kafka writes them: 16 bytes, base64 without padding, and never like an option."""
    while (written := urlsafe_b64encode(uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return written
