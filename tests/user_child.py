"""Another user's process: `python -m tests.user_child ROLE UID GROUP DIRECTORY`; started by root, then that user."""

import os
import sys
import time

from ringbook.engine import jit
from ringbook.io import bus, reader
from ringbook.io.errors import RingbookError


def become(uid: int, group: int) -> None:
    """Compile as root, who has a cache, then be that user for good."""
    jit.warm(rooms=(*reader.ROOMS, "book_area", "book_copy", "book_check"))
    jit.usable_root = lambda: None  # that user cannot even look into root's cache folder
    os.setgroups([group])
    os.setgid(group)
    os.setuid(uid)


def read(directory: str) -> None:
    """Read what there is, then wait for one record more."""
    with reader.join("a", directory) as joined:
        link = joined.link
        print(
            link.ctl is None,
            link.verdict().value,
            len(joined.records(9)),
            joined.book("A").health,
            flush=True,
        )
        following = joined.follow(timeout_s=30.0)
        print("waiting", flush=True)
        print(int(next(following)["seq"]), following.place.missed_wakes, flush=True)
    try:
        os.open(f"{directory}/a.ctl", os.O_RDWR)
    except PermissionError:
        print("no control page", flush=True)


def census(directory: str) -> None:
    """What this user sees in the folder, and whether it could remove or take over what is there."""
    print([(one.name, one.verdict) for one in bus.ls(directory)], flush=True)
    bus.rm("a", directory)


def take_over(directory: str) -> None:
    """Start a writer under a name that is taken, in a folder of somebody else."""
    bus.create("a", venue="t", symbol_capacity=1, slot_count=16, directory=directory)


def hang(directory: str) -> None:
    """Own a bus until killed."""
    made = bus.create("theirs", venue="t", symbol_capacity=1, slot_count=16, directory=directory)
    print("ready", flush=True)
    while True:
        made.beat(time.time_ns())
        time.sleep(0.02)


if __name__ == "__main__":
    role, uid, group, directory = sys.argv[1:]
    from ringbook.engine.kernels import book_area, book_check  # noqa: F401  (registered, so that they are warm)

    become(int(uid), int(group))
    try:
        globals()[role](directory)
    except RingbookError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
