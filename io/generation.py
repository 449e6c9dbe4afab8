"""Making the files of one generation: full size, prefaulted, complete before they get their names."""

import mmap
import os
import re
import time
from pathlib import Path

import numpy as np

from ..engine import layout
from . import directory as places
from . import header as header_page
from .ledger import carry_ledger
from .owner import Owner
from .storage import Storage, make_file
from .succession import Predecessor, find_predecessor


def write_generation(words: np.ndarray, geo: np.ndarray, venue: str, before: Predecessor) -> None:
    """Fill a new file: header, first seq, slots that answer "not yet" to every seq of the first lap, the ledger."""
    head = words[: layout.PAGE_BYTES // layout.WORD_BYTES].view(layout.header_dtype)[0]
    header_page.fill(head, geo, venue, Owner.current(), time.time_ns())
    first_seq = layout.wrap_seq(before.last_seq + 1)
    head["generation"], head["prev_last_seq"] = before.generation + 1, before.last_seq
    head["first_seq"] = head["head"] = first_seq
    mask, width, start = (int(geo[i]) for i in (layout.GEO_SLOT_MASK, layout.GEO_SLOT_WORDS, layout.GEO_RING))
    seqs = np.int64(first_seq) + np.arange(mask + 1)  # wraps, as seqs do
    words[start : start + (mask + 1) * width : width][seqs & mask] = seqs - 1
    if before.words is not None and before.geo is not None:
        carry_ledger(before.words, before.geo, words, geo)
    head["writer_state"], head["init_state"] = layout.RUN, layout.READY


def replace_files(
    stem: Path, geo: np.ndarray, venue: str, mode: int, storage: Storage
) -> tuple[mmap.mmap, mmap.mmap]:
    """Make the files of a new generation under other names, then give them theirs; the lock is held."""
    leftover = re.compile(re.escape(stem.name) + r"\.(ring|ctl)\.tmp\.\d+")
    for stale in stem.parent.iterdir():
        if leftover.fullmatch(stale.name):
            stale.unlink(missing_ok=True)  # of a writer that died while it was starting
    ring, ctl = (stem.with_name(stem.name + suffix) for suffix in (places.RING, places.CTL))
    before = find_predecessor(ring)
    new_ring, new_ctl = (path.with_name(f"{path.name}.tmp.{os.getpid()}") for path in (ring, ctl))
    try:
        ring_map = make_file(
            new_ring, int(geo[layout.GEO_WORDS]) * layout.WORD_BYTES, mode, storage.huge_pages
        )
        ctl_map = make_file(new_ctl, layout.PAGE_BYTES, 0o600)
        write_generation(np.frombuffer(ring_map, np.int64)[: int(geo[layout.GEO_WORDS])], geo, venue, before)
        os.rename(new_ctl, ctl)  # first, so that whoever finds the new ring finds its control page too
        os.rename(new_ring, ring)
    except BaseException:
        new_ring.unlink(missing_ok=True)
        new_ctl.unlink(missing_ok=True)
        raise
    before.supersede()
    return ring_map, ctl_map
