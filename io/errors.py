"""What can go wrong and be explained: every message says what was found, what was expected, what to do."""

import linecache
import traceback
from pathlib import Path

_HERE = str(Path(__file__).parent.parent) + "/"  # src/ringbook/ or, through its links, the same files


class RingbookError(Exception):
    """Base of all explained errors; the command line prints the message and exits with `exit_code`."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a page of traceback: the caller's own line, then the message."""
        shown = []
        for frame, line in traceback.walk_tb(self.__traceback__):
            file = frame.f_code.co_filename
            text = linecache.getline(file, line, frame.f_globals).strip()
            if text and not file.startswith(_HERE) and "/IPython/" not in file:
                shown = [f"line {line}: {text}"]
        shown.append(f"{type(self).__name__}: {self}")
        if self.__cause__ is not None and str(self.__cause__) not in str(self):
            shown.append(f"caused by {type(self.__cause__).__name__}: {self.__cause__}")
        return shown + getattr(self, "__notes__", [])


class BusNameError(RingbookError):
    """A bus name that cannot be a file name."""

    exit_code = 2


class DirectoryRefused(RingbookError):
    """The bus directory is missing, not ours, or open to strangers."""


class BusNotFound(RingbookError):
    """No bus of that name; the message lists the buses found."""


class BusRefused(RingbookError):
    """A file that is not a bus, or a bus this version cannot read safely."""


class BusInUse(RingbookError):
    """The bus has a living owner."""


class NoSpace(RingbookError):
    """The file system cannot hold the bus."""


class BusFull(RingbookError):
    """The symbol table has no free row."""


class BusGone(RingbookError):
    """The bus was removed while it was read."""


class SymbolNotFound(RingbookError):
    """The bus has no such symbol; the message names the nearest ones."""


class BookBusy(RingbookError):
    """The writer changed a book faster than it could be copied, and served no copy either."""


class BookNotLive(RingbookError):
    """A book was asked for with strict=True while its shown health is not LIVE."""


class AnalysisError(RingbookError, ValueError):
    """An array or an argument that an analysis cannot answer for; the message says what would do."""


class HandlerFailed(RingbookError):
    """The user's handler could not be compiled, or raised."""


class CoreRefused(RingbookError):
    """A core that does not exist, or that this process may not use."""

    exit_code = 2
