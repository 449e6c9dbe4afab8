"""Taking over the name of a bus whose owner is gone: where its records ended, how its readers are told."""

import logging
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..engine import layout
from . import directory as places
from . import header as header_page
from .errors import BusRefused

log = logging.getLogger(__name__)
LONGEST_BATCH = 1 << 32  # records that can lie between head and the last commit, generously


@dataclass
class Predecessor:
    """The last generation under a name."""

    generation: int
    last_seq: int
    words: np.ndarray | None  # int64[:] over the old file, writable
    geo: np.ndarray | None = None  # int64[GEO_LENGTH] of the old file

    def supersede(self) -> None:
        """Tell readers still attached that the name leads elsewhere now."""
        if self.words is not None:
            from ..engine.kernels.lifecycle import put_word

            put_word(self.words, layout.H_WRITER_STATE, layout.SUPERSEDED)


NOBODY = Predecessor(0, 0, None)


def last_committed(words: np.ndarray, geo: np.ndarray) -> int:
    """Find the seq of the last record that was committed whole.

    A slot counts if its seq belongs there; the `seq - 1` of a record under way never does. `head` may lag
    behind by a batch, so it only gives the place to look from: differences wrap, seqs do not compare.

    words  int64[:], a bus whose writer is gone
    geo    int64[GEO_LENGTH]
    """
    mask, width, start = (int(geo[i]) for i in (layout.GEO_SLOT_MASK, layout.GEO_SLOT_WORDS, layout.GEO_RING))
    seqs = words[start : start + (mask + 1) * width : width].copy()
    head = words[layout.H_HEAD]
    seqs = seqs[(seqs & mask) == np.arange(mask + 1)]
    with np.errstate(over="ignore"):
        ahead = seqs - head
    ahead = ahead[(ahead >= 0) & (ahead < LONGEST_BATCH)]
    last = int(head) - 1 + (int(ahead.max()) + 1 if len(ahead) else 0)
    return layout.wrap_seq(last)


def find_predecessor(path: Path) -> Predecessor:
    """Read what lies under the name; the caller holds the lock, so nobody else writes there.

    Returns  NOBODY when there is no file, or none that can be read: then seqs start again at 1.
    Raises   BusRefused when the file is not a bus at all: it is somebody's, and stays.
    """
    try:
        fd = os.open(path, os.O_RDWR | places.OPEN_FLAGS)
    except FileNotFoundError:
        return NOBODY
    except OSError as error:
        raise BusRefused(f"{path} cannot be taken over: {error.strerror}; remove it by hand") from None
    try:
        head, geo = header_page.validate(str(path), fd)
        both = mmap.PROT_READ | mmap.PROT_WRITE
        size = int(head["file_bytes"])
        mapping = mmap.mmap(fd, places.whole_pages(fd, size), mmap.MAP_SHARED, both)
        words = np.frombuffer(mapping, np.int64, size // layout.WORD_BYTES)
        return Predecessor(int(head["generation"]), last_committed(words, geo), words, geo)
    except BusRefused as error:
        if os.pread(fd, 8, 0) != layout.MAGIC.to_bytes(8, "little"):
            raise
        log.warning("starting a new sequence: %s", error)
        return NOBODY
    finally:
        os.close(fd)
