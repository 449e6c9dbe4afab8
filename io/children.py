"""Child processes that never outlive their parent: own process group, ended by the kernel if the parent dies."""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from .errors import RingbookError

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 5.0
KEPT_LINES, LOOK_S = 20, 0.1
INSTALLED = ("site-packages", "dist-packages")


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel for SIGTERM when the parent of this process ends; called by the child itself.

    parent_pid  the parent's pid as the parent knows it, for the case that it ended before we asked; 0 unknown
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if parent_pid not in (0, os.getppid()):  # not compared with 1: in a container the parent may be pid 1
        raise SystemExit(1)


def environment() -> dict[str, str]:
    """This process's environment, in which a child finds the same package, also one found by sys.path alone."""
    home = Path(__file__).parents[2]
    if home.name in INSTALLED:
        return dict(os.environ)
    known = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{known}{os.pathsep}{home}" if known else str(home)}


class Child:
    """A `ringbook` command in the background that prints one JSON line once it is ready.

    It dies with the *thread* that made it: that is how the kernel understands "parent".

    is_quiet  keep the last lines of its stderr in `said`, in place of showing them
    """

    def __init__(self, name: str, *arguments: str, is_quiet: bool = False) -> None:
        self.name = name
        self.said: deque[str] = deque(maxlen=KEPT_LINES)
        self._half_line = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ringbook", *arguments, "--die-with-parent", str(os.getpid())],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if is_quiet else None,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=environment(),
        )
        if self.process.stderr:
            os.set_blocking(self.process.stderr.fileno(), False)

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def listen(self) -> bool:
        """Take what a quiet child wrote to stderr into `said`; whether there was anything."""
        with contextlib.suppress(BlockingIOError, ValueError):  # nothing there; closed
            data = os.read(self.process.stderr.fileno(), 65536) if self.process.stderr else b""
            *lines, self._half_line = (self._half_line + data).split(b"\n")
            self.said.extend(line.decode(errors="replace").rstrip() for line in lines)
            return bool(data)
        return False

    def ready(self, timeout_s: float, look: Callable[[], None] | None = None) -> dict[str, Any]:
        """The JSON line the child prints when it is ready. Raises RingbookError if it ends or stays silent.

        timeout_s  without a word from the child
        look       called ten times a second meanwhile; may raise
        """
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self.process.stdout], [], [], LOOK_S)
            if self.listen():
                deadline = time.monotonic() + timeout_s
            if readable:
                line = self.process.stdout.readline()
                if line:
                    return json.loads(line)
            if self.process.poll() is not None:
                self.listen()
                raise RingbookError(
                    f"{self.name} ended with code {self.process.returncode} before it was ready{self.last_words()}"
                )
            if look:
                look()
        raise RingbookError(f"{self.name} was not ready after {timeout_s:.0f} s{self.last_words()}")

    def last_words(self) -> str:
        """The last lines a quiet child wrote, to end a message with."""
        return "".join(f"\n  {line}" for line in list(self.said)[-4:])

    @property
    def is_running(self) -> bool:
        """Still there."""
        return self.process.poll() is None

    def stop(self) -> None:
        """SIGTERM to the whole group, SIGKILL if that is not heard."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
