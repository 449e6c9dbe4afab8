"""Where the bytes of a bus lie: files of their full size, and on request locked in memory or in huge pages.

Locking and huge pages are best effort: a bus works without them, so what came of the request is measured and
reported, never assumed.
"""

import contextlib
import ctypes
import errno
import logging
import mmap
import os
import resource
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import directory as places
from .errors import NoSpace

log = logging.getLogger(__name__)
SHARED = mmap.MAP_SHARED | mmap.MAP_POPULATE  # fault every page in now, not under the first record
BOTH = mmap.PROT_READ | mmap.PROT_WRITE
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EFBIG)
POPULATE_WRITE = 23  # of madvise, Linux 5.14; older kernels refuse it, and fault later
SHMEM_ENABLED = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
HUGE_FIELDS = ("ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb")


@dataclass(frozen=True)
class Storage:
    """How the memory of a bus is to be held.

    lock_memory  never paged out
    huge_pages   2 MB pages where the kernel gives them: fewer TLB misses
    """

    lock_memory: bool = False
    huge_pages: bool = False


def make_file(path: Path, size: int, mode: int, huge_pages: bool = False) -> mmap.mmap:
    """Make a file of its full size, its blocks reserved, and map it.

    size  bytes; on hugetlbfs the file is rounded up to whole pages
    """
    size = places.whole_pages(path.parent, size)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | places.OPEN_FLAGS, mode)
    except OSError as error:
        raise _refusal(path, size, error) from None
    try:
        os.fchmod(fd, mode)
        return _map_huge(fd, size) if huge_pages else _map(fd, size)
    except (OSError, MemoryError) as error:
        path.unlink(missing_ok=True)
        raise _refusal(path, size, error) from None
    finally:
        os.close(fd)


def _map(fd: int, size: int) -> mmap.mmap:
    os.posix_fallocate(fd, 0, size)
    return mmap.mmap(fd, size, SHARED, BOTH)


def _map_huge(fd: int, size: int) -> mmap.mmap:
    """Map first and reserve afterwards: the kernel gives huge pages to a mapping that asked, not to a file."""
    os.ftruncate(fd, size)
    mapping = mmap.mmap(fd, size, mmap.MAP_SHARED, BOTH)
    for advice in (mmap.MADV_HUGEPAGE, POPULATE_WRITE):
        with contextlib.suppress(OSError):
            mapping.madvise(advice)
    os.posix_fallocate(fd, 0, size)  # answers for what could not be populated, before anything touches it
    with contextlib.suppress(OSError):
        mapping.madvise(POPULATE_WRITE)
    return mapping


def _refusal(path: Path, size: int, error: OSError | MemoryError) -> NoSpace:
    """Why there is no file: what is free, what is needed, what to do."""
    if getattr(error, "errno", errno.ENOMEM) not in NO_ROOM:
        return NoSpace(f"cannot make {path}: {getattr(error, 'strerror', error)}")
    found = os.statvfs(path.parent)
    free = found.f_bavail * found.f_frsize
    return NoSpace(
        f"{path.parent} has {free / 1e6:.1f} MB free ({free} bytes), the bus needs {size / 1e6:.1f} MB "
        f"({size} bytes); remove dead buses with `ringbook rm --all-dead`, use fewer slots, symbols "
        "or book levels, or in a container raise its shared memory (docker run --shm-size=1g)"
    )


def _address(mapping: mmap.mmap) -> int:
    return np.frombuffer(mapping, np.uint8).ctypes.data


def lock(mappings: tuple[mmap.mmap, ...]) -> str:
    """Lock mappings in memory; '' when done, else why not and what to do."""
    libc = ctypes.CDLL(None, use_errno=True)
    for mapping in mappings:
        if libc.mlock(ctypes.c_void_p(_address(mapping)), ctypes.c_size_t(len(mapping))):
            limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
            allowed = "unlimited" if limit == resource.RLIM_INFINITY else f"{limit / 1e6:.1f} MB"
            needed = sum(map(len, mappings)) / 1e6
            return (
                f"not locked ({os.strerror(ctypes.get_errno())}: {needed:.1f} MB needed, this process may lock "
                f"{allowed}); raise `ulimit -l`, LimitMEMLOCK= of systemd or docker's --ulimit memlock=-1"
            )
    return ""


def huge_bytes(mapping: mmap.mmap) -> int:
    """Bytes of a mapping that lie in huge pages now, as the kernel counts them."""
    start, found, ours = f"{_address(mapping):x}-", 0, False
    with open("/proc/self/smaps", encoding="utf-8") as file:
        for line in file:
            name = line.split(maxsplit=1)[0]
            if not name.endswith(":"):
                ours = line.startswith(start)
            elif ours and name[:-1] in HUGE_FIELDS:
                found += int(line.split()[1]) * 1024
    return found


def huge_policy(folder: Path) -> str:
    """What the kernel allows there: the mount's own huge= option, and its setting for all shared memory."""
    kind, options = places.mount_of(folder)
    own = next((one for one in options.split(",") if one.startswith("huge=")), "no huge= option")
    try:
        text = SHMEM_ENABLED.read_text()
        general = repr(text[text.index("[") + 1 : text.index("]")])
    except (OSError, ValueError):
        general = "unknown"
    return f"{folder} is on {kind} with {own}, {SHMEM_ENABLED} is {general}"


def settle(wanted: Storage, mappings: tuple[mmap.mmap, ...], folder: Path) -> str:
    """Do what can be done, and say in half a sentence how the ring, the first of the mappings, is held."""
    told = [f"{len(mappings[0]) / 1e6:.1f} MB on {places.file_system(folder) or 'an unknown file system'}"]
    if wanted.huge_pages:
        huge = huge_bytes(mappings[0])
        told.append(f"{huge / 1e6:.1f} MB of it in huge pages")
        if huge < len(mappings[0]) // 2:
            why = (
                f"huge pages were asked for, {huge} of {len(mappings[0])} bytes are in some: "
                f"{huge_policy(folder)}; use a folder on tmpfs mounted with huge=advise (/dev/shm: "
                "mount -o remount,huge=advise /dev/shm), or on hugetlbfs; shmem_enabled must not be 'deny'"
            )
            log.warning("%s", why)
    if wanted.lock_memory:
        why = lock(mappings)
        told.append(why or "locked in memory")
        if why:
            log.warning("memory was to be locked but is %s; the bus works, and may be paged out", why)
    return ", ".join(told)
