"""Where bus files live, what they are called, and who may own them."""

import logging
import os
import re
import stat
from pathlib import Path

from .errors import BusNameError, DirectoryRefused

log = logging.getLogger(__name__)
NAME_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
SHARED_MEMORY = Path("/dev/shm")
RING, CTL, LOCK = ".ring", ".ctl", ".lock"
OPEN_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC
_MEMORY_TYPES = ("tmpfs", "ramfs", "hugetlbfs")


def check_name(name: str) -> str:
    """Return the name if it can be one; a bus name is a file name and nothing else."""
    if not NAME_PATTERN.fullmatch(name):
        raise BusNameError(
            f"bus name was {name!r}, expected 1 to 64 of A-Z a-z 0-9 . _ - and not starting with . or -"
        )
    return name


def default_directory() -> Path:
    """RINGBOOK_DIR, else a folder of this user's own in shared memory."""
    chosen = os.environ.get("RINGBOOK_DIR")
    return Path(chosen) if chosen else SHARED_MEMORY / f"ringbook-{os.getuid()}"


def mount_of(path: Path | int) -> tuple[str, str]:
    """Type and options of the file system that holds a path or open file, from /proc/self/mountinfo; or ''."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return "", ""
    for line in lines:
        fields = line.split()
        if fields[2] == wanted and "-" in fields:
            return fields[fields.index("-") + 1], fields[-1]
    return "", ""


def file_system(path: Path | int) -> str:
    """Type of the file system that holds a path or open file; '' when unknown."""
    return mount_of(path)[0]


def whole_pages(path: Path | int, size: int) -> int:
    """Size that a file of `size` bytes gets beside `path`: whole huge pages on hugetlbfs, as it is elsewhere."""
    page = os.statvfs(path).f_bsize
    if size % page == 0 or file_system(path) != "hugetlbfs":
        return size
    return -(-size // page) * page


def check_directory(path: Path) -> Path:
    """Return the directory if it is one, belongs to somebody we trust and no stranger can write to it.

    The default directory must be this user's; one chosen by the user may belong to another account.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise DirectoryRefused(
            f"bus directory {path} does not exist; start a writer first, or set RINGBOOK_DIR"
        ) from None
    except OSError as error:
        raise DirectoryRefused(f"bus directory {path} cannot be used: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a directory"
        raise DirectoryRefused(f"{path} is {kind}, expected a directory; name the real one in RINGBOOK_DIR")
    if path.parent == SHARED_MEMORY and found.st_uid != os.getuid() and path.name.endswith(f"-{os.getuid()}"):
        raise DirectoryRefused(
            f"{path} belongs to uid {found.st_uid}, expected {os.getuid()}: somebody else took the name; "
            "set RINGBOOK_DIR to a directory of your own"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(found.st_mode)
        raise DirectoryRefused(f"{path} has mode {mode:04o}, expected no write for others: chmod go-w {path}")
    return path


def _check_not_planted(path: Path) -> None:
    """Refuse, for a writer, a folder that a stranger put under a name anybody could guess."""
    found, above = path.stat(), path.absolute().parent.stat()
    if above.st_mode & stat.S_IWOTH and found.st_uid not in (os.getuid(), above.st_uid):
        raise DirectoryRefused(
            f"{path} belongs to uid {found.st_uid}, expected {os.getuid()}: it lies in a folder where everybody "
            "can make one and could swap its files; set RINGBOOK_DIR to a directory of your own"
        )
    if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
        log.warning(
            "%s lies in a folder where everybody can rename it (mode %04o, no sticky bit): chmod +t %s, unless "
            "nobody else can get there, as in a container",
            path, stat.S_IMODE(above.st_mode), path.absolute().parent,
        )  # fmt: skip


def make_directory(path: Path, group_readable: bool) -> Path:
    """Make the directory if it is missing, and check it for a writer."""
    try:
        mode = 0o750 if group_readable else 0o700
        path.mkdir(mode=mode)
        path.chmod(mode)  # whatever the umask
    except FileExistsError:
        pass
    except FileNotFoundError:
        raise DirectoryRefused(f"{path.parent} does not exist; make it, or set RINGBOOK_DIR") from None
    except OSError as error:
        raise DirectoryRefused(f"cannot make bus directory {path}: {error.strerror}") from None
    check_directory(path)
    _check_not_planted(path)
    if not os.access(path, os.W_OK | os.X_OK):
        raise DirectoryRefused(f"{path} is not writable for uid {os.getuid()}; chown it, or set RINGBOOK_DIR")
    kind = file_system(path)
    if kind not in _MEMORY_TYPES:
        log.warning("%s is on %s, not in memory: write-back will stall the writer now and then", path, kind)
    return path


def bus_names(path: Path) -> list[str]:
    """Names of the buses whose ring file lies in `path`, sorted; empty when there is no such directory."""
    try:
        names = [entry.name for entry in os.scandir(path)]
    except OSError:
        return []
    stems = (name.removesuffix(RING) for name in names if name.endswith(RING))
    return sorted(stem for stem in stems if NAME_PATTERN.fullmatch(stem))


def found_here(path: Path) -> str:
    """Half a sentence naming the buses of a directory, for error messages."""
    names = bus_names(path)
    return f"found in {path}: {', '.join(names)}" if names else f"there is no bus in {path}"


def how_to_start(name: str) -> str:
    """Half a sentence saying how a bus comes to be, for error messages."""
    given = "" if name == "demo" else repr(name)
    return f"ringbook.demo({given}) starts one with the built-in exchange, `ringbook run` one that follows a venue"
