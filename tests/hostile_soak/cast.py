"""The processes of a scene: the exchange, the engine with its configuration file, the reader."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ringbook.io.children import Child, environment
from ringbook.io.errors import RingbookError
from ringbook.io.verdict import ask

from .scenes import LISTED, Scene

BUS = "hostile"
START_S, END_S = 120.0, 20.0
TRUST, AUTHORITY, TRIES = "SSL_CERT_FILE", "ca.pem", 20
# Short limits, so that minutes show what else takes hours.
HASTE = {
    "silence_s": 1.0, "pong_timeout_s": 1.0, "stale_floor_s": 2.0, "first_frame_s": 3.0, "snapshot_limit": 1000,
    "slots": 4096, "symbol_capacity": 64,
}  # fmt: skip


class Engine:
    """`ringbook run`, restarted whenever it was ended."""

    def __init__(self, scene: Scene, urls: dict[str, str], folder: Path) -> None:
        self.scene, self.urls, self.folder = scene, urls, folder
        self.symbols = list(scene.symbols)
        self.log: IO[bytes] = (folder / "engine.log").open("ab")
        self.process: subprocess.Popen | None = None
        self.deaths = {"killed": 0, "terminated": 0, "hung_up": 0, "failed_starts": 0, "unclean_ends": 0}

    def write(self) -> None:
        """The configuration file, with the symbols as they are to be now."""
        facts: dict[str, Any] = {
            "venue": self.scene.venue, "symbols": self.symbols, "bus": BUS, "directory": str(self.folder),
            "rest_url": self.urls["rest"], "ws_url": self.urls["ws"], "source": self.scene.source,
            "redundancy": self.scene.redundancy, **HASTE,
        }  # fmt: skip
        if self.scene.tls:
            facts["ca_file"] = str(self.folder / AUTHORITY)
        lines = (f"{key} = {json.dumps(value)}" for key, value in facts.items())
        (self.folder / "engine.toml").write_text("\n".join(lines))

    def start(self) -> None:
        """Start it and wait until it publishes; a start that fails, for the venue lacks a symbol, is repeated."""
        end_s = time.monotonic() + START_S
        while True:
            self.write()
            command = [
                "run",
                "--config",
                str(self.folder / "engine.toml"),
                "--die-with-parent",
                str(os.getpid()),
            ]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ringbook", *command], stdout=subprocess.PIPE, stderr=self.log,
                env=environment(), text=True,
            )  # fmt: skip
            if line_of(self.process, end_s - time.monotonic()):
                return
            if self.process.poll() is None or time.monotonic() > end_s:
                raise RingbookError(f"the engine was not ready within {START_S:.0f} s; see its log")
            self.close()
            self.deaths["failed_starts"] += 1

    @property
    def is_running(self) -> bool:
        """Whether it lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process that lives, or lived last."""
        return self.process.pid if self.process else 0

    def kill(self) -> None:
        """kill -9, and a successor."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.deaths["killed"] += 1
        self.close()
        self.start()

    def terminate(self) -> int:
        """SIGTERM; the exit code, which must be 0."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.deaths["terminated"] += 1
        self.deaths["unclean_ends"] += code != 0
        self.close()
        return code

    def hang_up(self) -> None:
        """SIGHUP with a symbol more or a symbol less in the file."""
        assert self.process is not None
        self.symbols = [*self.scene.symbols, *([] if LISTED in self.symbols else [LISTED])]
        self.write()
        self.process.send_signal(signal.SIGHUP)
        self.deaths["hung_up"] += 1

    def close(self) -> None:
        """Close the pipe of a process that has ended."""
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()


class Reader:
    """The judge, in a process of its own."""

    def __init__(self, rest_url: str, folder: Path, seed: int) -> None:
        command = ["--bus", BUS, "--directory", str(folder), "--rest", rest_url, "--seed", str(seed)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile_soak.judge", *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(folder / "reader.log").open("ab"),
            env=environment(), text=True, bufsize=1,
        )  # fmt: skip

    def order(self, word: str) -> None:
        """Tell it something."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def answer(self, patience_s: float) -> str:
        """The next line it says; empty when it stays silent."""
        return line_of(self.process, patience_s)

    def end(self) -> dict[str, Any]:
        """Let it finish; everything it found."""
        self.order("end")
        while line := self.answer(START_S):
            if line.startswith("{"):
                self.process.wait(END_S)
                return json.loads(line)
        raise RingbookError("the reader ended without an answer; see its log")

    def close(self) -> None:
        """End it in any case."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def trusting(scene: Scene, folder: Path) -> Iterator[None]:
    """Let this process and its children believe the exchange's certificate."""
    before = os.environ.get(TRUST)
    if scene.tls:
        os.environ[TRUST] = str(folder / AUTHORITY)
    try:
        yield
    finally:
        if scene.tls:
            os.environ.pop(TRUST)
            os.environ |= {TRUST: before} if before is not None else {}


def tell(url: str, body: Any = None) -> Any:
    """Ask the exchange, again when a fault has struck the question."""
    for _ in range(TRIES):
        with contextlib.suppress(RingbookError):
            return ask(url, body)
        time.sleep(0.1)
    return ask(url, body)


def line_of(process: subprocess.Popen, patience_s: float) -> str:
    """The next line a process prints; empty when it ends or says nothing for so long."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], max(0.0, patience_s))
    return process.stdout.readline().strip() if readable else ""


def exchange_of(scene: Scene, plan: Path, seed: int) -> Child:
    """The faulty exchange of a scene."""
    options = ["--venue", scene.venue, "--symbols", ",".join((*scene.symbols, LISTED)), "--seed", str(seed)]
    if scene.tls:
        options += ["--tls", "--ca-file", str(plan.parent / AUTHORITY)]
    return Child("the exchange", "exchange", *options, "--faults", str(plan), is_quiet=True)
