"""Records that the first lines of a recording make, as a reader of that bus would have got them."""

import functools
from itertools import islice

import numpy as np

from ringbook.engine import layout
from ringbook.engine.instruments import from_steps
from ringbook.io.recording import read_recording, survey
from ringbook.io.replay import Replay
from ringbook.io.venues.base import get_venue

from .recorded_sessions import recording


@functools.cache
def recorded_records(lines: int) -> tuple[np.ndarray, np.ndarray]:
    """Records and symbol table of the first lines of the spot recording of BTCUSDT."""
    path = recording("binance-spot/btcusdt_20240808.gz")
    instruments = {b"BTCUSDT": from_steps(b"BTCUSDT", "0.01", "0.00001", asset_digits=8)}
    engine = Replay(get_venue("binance-spot"), instruments, None, None, survey([path]).snapshot_owners)
    words, following = [], 1
    for line in islice(read_recording([path]), lines):
        engine.line(line)
        words.append(engine.bus.records(following, engine.pipeline.next_seq))
        following = engine.pipeline.next_seq
    records = np.concatenate(words).reshape(-1).view(layout.record_dtype())
    return records, engine.bus.symbol_rows[: engine.bus.symbol_count].copy()
