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
from types import TracebackType
from typing import Any

from .errors import RingbookError

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 5.0


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel for SIGTERM when the parent of this process ends; called by the child itself.

    parent_pid  the parent's pid as the parent knows it, for the case that it ended before we asked; 0 unknown
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if parent_pid not in (0, os.getppid()):  # not compared with 1: in a container the parent may be pid 1
        raise SystemExit(1)


class Child:
    """A `ringbook` command in the background that prints one JSON line once it is ready."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ringbook", *arguments, "--die-with-parent", str(os.getpid())],
            stdout=subprocess.PIPE,
            stderr=None,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ready(self, timeout_s: float) -> dict[str, Any]:
        """The JSON line the child prints when it is ready. Raises RingbookError if it ends or stays silent."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self.process.stdout], [], [], 0.2)
            if readable:
                line = self.process.stdout.readline()
                if line:
                    return json.loads(line)
            if self.process.poll() is not None:
                raise RingbookError(
                    f"{self.name} ended with code {self.process.returncode} before it was ready"
                )
        raise RingbookError(f"{self.name} was not ready after {timeout_s:.0f} s")

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
        if self.process.stdout:
            self.process.stdout.close()
