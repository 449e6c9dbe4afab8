"""All buses of a directory: who owns them, how they are, and removing those whose owner is gone."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from . import directory as places
from . import header as header_page
from .errors import BusInUse, BusNotFound, BusRefused
from .owner import Owner, Verdict, command_of, describe, is_locked, judge, locker_of, take_lock


@dataclass(frozen=True)
class BusInfo:
    """One line of `ringbook ls`."""

    name: str
    verdict: str  # a Verdict's value, or "refused"
    pid: int
    venue: str
    generation: int
    age_ns: int
    heartbeat_age_ns: int
    size_bytes: int
    symbols: int
    next_seq: int
    uid: int = -1  # owner of the file; -1 when it cannot be asked
    command: str = ""  # command line of the owner's process while it lives
    problem: str = ""  # why the file was refused


def _folder(directory: Path | str | None) -> Path:
    return Path(directory or places.default_directory())


def inspect(name: str, folder: Path) -> BusInfo:
    """Look at one bus without mapping it."""
    path = folder / (name + places.RING)
    try:
        fd = os.open(path, os.O_RDONLY | places.OPEN_FLAGS)
    except OSError as error:
        return _refused(name, 0, f"{path}: {error.strerror}")
    try:
        found = os.fstat(fd)
        head, _ = header_page.validate(str(path), fd)
    except BusRefused as error:
        return _refused(name, found.st_size, str(error), found.st_uid)
    finally:
        os.close(fd)
    now_ns, beat_ns = time.time_ns(), int(head["heartbeat_ns"])
    locked = is_locked(folder / (name + places.LOCK))
    verdict = judge(Owner.of(head), int(head["writer_state"]), beat_ns, locked, now_ns)
    return BusInfo(
        name=name,
        verdict=verdict.value,
        pid=int(head["pid"]),
        venue=head["venue"].decode(errors="replace"),
        generation=int(head["generation"]),
        age_ns=now_ns - int(head["created_ns"]),
        heartbeat_age_ns=now_ns - beat_ns,
        size_bytes=found.st_size,
        symbols=int(head["symbol_count"]),
        next_seq=int(head["head"]),
        uid=found.st_uid,
        command=command_of(int(head["pid"])) if verdict in (Verdict.RUNNING, Verdict.STALLED) else "",
    )


def _refused(name: str, size: int, problem: str, uid: int = -1) -> BusInfo:
    return BusInfo(name, "refused", 0, "", 0, 0, 0, size, 0, 0, uid, "", problem)


def ls(directory: Path | str | None = None) -> list[BusInfo]:
    """All buses of the directory, by name; empty when it does not exist."""
    folder = _folder(directory)
    if not folder.exists():
        return []
    places.check_directory(folder)
    return [inspect(name, folder) for name in places.bus_names(folder)]


def rm(name: str, directory: Path | str | None = None) -> None:
    """Remove a bus whose owner is gone; a bus with a living owner, stalled or not, is refused."""
    places.check_name(name)
    folder = places.check_directory(_folder(directory))
    paths = [folder / (name + suffix) for suffix in (places.RING, places.CTL, places.LOCK)]
    if not any(os.path.lexists(path) for path in paths):
        raise BusNotFound(f"bus {name!r} was not found; {places.found_here(folder)}")
    try:
        lock_fd = take_lock(paths[2], 0o600)
    except OSError as error:
        raise BusRefused(
            f"{paths[2]} cannot be locked: {error.strerror}; ask its owner to remove it"
        ) from None
    if lock_fd is None:
        raise BusInUse(f"bus {name!r} is {_alive(name, folder)}; stop that process first")
    try:
        if _runs_without_its_lock(paths[0]):
            paths[2].unlink(missing_ok=True)
            raise BusInUse(
                f"bus {name!r} has lost its lock file, but its owner runs; stop that process first"
            )
        for path in paths:  # the lock last: until then nobody can start under the name
            path.unlink(missing_ok=True)
    except OSError as error:
        raise BusRefused(f"{path} cannot be removed: {error.strerror}; ask its owner to do it") from None
    finally:
        os.close(lock_fd)


def _runs_without_its_lock(path: Path) -> bool:
    """Whether the writer of a ring lives and beats, though nobody holds the lock: somebody removed the file."""
    with contextlib.suppress(OSError, BusRefused):
        fd = os.open(path, os.O_RDONLY | places.OPEN_FLAGS)
        try:
            head, _ = header_page.validate(str(path), fd)
        finally:
            os.close(fd)
        state, beat_ns = int(head["writer_state"]), int(head["heartbeat_ns"])
        alive = Owner.of(head).is_alive() is True
        return alive and judge(Owner.of(head), state, beat_ns, True, time.time_ns()) is Verdict.RUNNING
    return False


def _alive(name: str, folder: Path) -> str:
    """Who keeps a bus, for the message."""
    info = inspect(name, folder)
    if info.verdict in (Verdict.RUNNING.value, Verdict.STALLED.value):
        now_ns = time.time_ns()
        owner = Owner(info.pid, 0, b"", 0)
        who = describe(owner, now_ns - info.heartbeat_age_ns, now_ns - info.age_ns)
        return f"{info.verdict}, owned by {who}"
    return f"being started by pid {locker_of(folder / (name + places.LOCK))}"
