"""Who owns a bus: the lock that dies with its process, the identity in the header, the verdict readers show.

The lock is an open-file-description lock: the kernel drops it when the owner dies, however it dies. Readers
ask about it and never take it. It alone could be held on by a forked child, and a successor holds it before
it has replaced the file, so the identity in the header is compared as well.
"""

import contextlib
import enum
import fcntl
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from ..engine import layout
from .directory import OPEN_FLAGS

STALL_NS = 1_000_000_000  # an older heartbeat is not shown as running
_FLOCK = struct.Struct("hhqqi4x")  # struct flock: type, whence, start, length, pid
_START_TICKS = 19  # field 22 of /proc/PID/stat, counted behind the command's closing bracket


class Verdict(enum.Enum):
    """What a reader may believe about the writer of the file it maps."""

    RUNNING = "running"
    STALLED = "stalled"  # owner alive, heartbeat old: stopped, paused or hung; never taken over
    CLOSED = "closed"  # the owner said good-bye
    DEAD = "dead"  # the owner is gone without a word
    SUPERSEDED = "superseded"  # a newer generation has the name


@dataclass(frozen=True)
class Owner:
    """A process, told from every other one of this machine since boot."""

    pid: int
    start_ticks: int
    boot_id: bytes
    pid_namespace: int

    @staticmethod
    def current() -> "Owner":
        """This process."""
        pid = os.getpid()
        return Owner(pid, start_ticks(pid) or 0, boot_id(), pid_namespace())

    @staticmethod
    def of(header: "layout.np.void") -> "Owner":
        """The process named in a header."""
        boot = bytes(header["boot_id"]).ljust(16, b"\0")
        return Owner(int(header["pid"]), int(header["start_ticks"]), boot, int(header["pid_namespace"]))

    def is_alive(self) -> bool | None:
        """Whether the process still runs; None when this process cannot know (other pid namespace)."""
        if self.boot_id != boot_id():
            return False
        if self.pid_namespace != pid_namespace():
            return None
        return start_ticks(self.pid) == self.start_ticks


def boot_id() -> bytes:
    """Sixteen bytes that change at every boot."""
    return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))


def pid_namespace() -> int:
    """Inode of this process's pid namespace: pids compare only inside one."""
    return os.stat("/proc/self/ns/pid").st_ino


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[_START_TICKS])


def command_of(pid: int, most: int = 120) -> str:
    """Command line of a process, shortened to `most` characters; '?' when it is gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "?"
    return " ".join(word.decode(errors="replace") for word in words if word)[:most] or "?"


def take_lock(path: Path, mode: int) -> int | None:
    """Take the writer's lock; returns the descriptor that holds it, None when somebody else does."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, mode)
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        except (BlockingIOError, PermissionError):
            os.close(fd)
            return None
        try:
            if os.stat(path, follow_symlinks=False).st_ino == os.fstat(fd).st_ino:
                with contextlib.suppress(OSError):
                    os.fchmod(fd, mode)  # whatever the umask
                os.ftruncate(fd, 0)
                with contextlib.suppress(OSError):  # hugetlbfs takes no writes; the pid is only for messages
                    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                return fd
        except FileNotFoundError:
            pass
        os.close(fd)  # removed between open and lock: that lock protects nothing


def is_locked(path: Path) -> bool | None:
    """Ask whether a writer holds the lock, without ever taking it; None when it cannot be asked."""
    try:
        fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        return _FLOCK.unpack(answer)[0] != fcntl.F_UNLCK
    except OSError:
        return None
    finally:
        os.close(fd)


def locker_of(path: Path) -> int:
    """Pid written into the lock file by its holder; 0 when it cannot be read."""
    try:
        return int(path.read_text().strip() or 0)
    except (OSError, ValueError):
        return 0


def judge(owner: Owner, writer_state: int, heartbeat_ns: int, locked: bool | None, now_ns: int) -> Verdict:
    """Say what to believe about a writer: its own word first, then the lock, then who it was, then its heart.

    locked  from is_locked; None when the lock cannot be asked, then identity and heartbeat decide
    """
    if writer_state == layout.SUPERSEDED:
        return Verdict.SUPERSEDED
    if writer_state == layout.CLOSED:
        return Verdict.CLOSED
    if locked is False or owner.is_alive() is False:
        return Verdict.DEAD
    return Verdict.STALLED if now_ns - heartbeat_ns > STALL_NS else Verdict.RUNNING


def shown_health(stored: int, verdict: Verdict) -> int:
    """Health to show: what the writer stored, as far as the writer can still be believed."""
    if verdict is Verdict.RUNNING:
        return stored
    if verdict is Verdict.STALLED:
        return layout.STALE if stored == layout.LIVE else stored
    return layout.DOWN


def age_text(age_ns: int) -> str:
    """An age for people: '0.3 s', '4 min', '2 h'."""
    seconds = max(0, age_ns) / 1e9
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def describe(owner: Owner, heartbeat_ns: int, created_ns: int) -> str:
    """Half a sentence naming an owner, for error messages."""
    now_ns = time.time_ns()
    return (
        f"pid {owner.pid} ({command_of(owner.pid)}), bus made {age_text(now_ns - created_ns)} ago, "
        f"last heartbeat {age_text(now_ns - heartbeat_ns)} ago"
    )
