"""Recorded Binance depth through the book, against Decimal and dict: equal to the last level."""

import gzip
import os
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

import orjson
import pytest

from ringbook.engine import layout
from ringbook.engine.layout import ASK, BID

from .book_bench import BookPair, Row, warm

RECORDINGS = Path(
    os.environ.get("RINGBOOK_RECORDINGS") or Path(__file__).resolve().parents[2] / "shared" / "data"
)
LINES = 30_000
Depth = dict[str, list[Row]]


def mantissa(text: str) -> int:
    return int(Decimal(text).scaleb(8))


def depths(path: Path) -> Iterator[Depth]:
    """The snapshot, then every diff that follows it, as the venue's rule has it (u > lastUpdateId)."""
    waiting, snapshot_id = [], None
    with gzip.open(path) as lines:
        for line in islice(lines, LINES):
            frame = orjson.loads(line.partition(b" ")[2])
            if "lastUpdateId" in frame:
                snapshot_id = frame["lastUpdateId"]
                yield {"b": frame["bids"], "a": frame["asks"]}
            elif "@depth" in frame["stream"]:
                waiting.append(frame["data"])
            if snapshot_id is not None:
                yield from (diff for diff in waiting if diff["u"] > snapshot_id)
                waiting.clear()


def follow(pair: BookPair, side: int, rows: list[Row]) -> None:
    """Apply one message to the book, and to the model's dict by itself, which is quicker."""
    held = pair.model.levels[side]
    for row, (price, qty) in enumerate(rows):
        pair.rows[side, row] = price, qty
        if qty:
            held[price] = qty
        else:
            pair.model.orphans += held.pop(price, None) is None
    pair.kernels.apply_rows(pair.words, pair.base, side, pair.rows, len(rows))


@pytest.mark.parametrize("name", ["binance-spot/btcusdt_20240808.gz", "binance-usdm/ethusdt_20240808.gz"])
def test_recorded_book_equals_the_dict(name: str) -> None:
    if not (RECORDINGS / name).is_file():
        pytest.skip(f"no recording {name} in {RECORDINGS}; set RINGBOOK_RECORDINGS")
    warm()
    pair, messages = BookPair(layout.BOOK_LEVELS_DEFAULT), 0
    for messages, depth in enumerate(depths(RECORDINGS / name)):
        for side, key in ((BID, "b"), (ASK, "a")):
            rows = [(mantissa(price), mantissa(qty)) for price, qty in depth[key]]
            follow(pair, side, rows)
        if messages % 500 == 0:
            pair.check()
    pair.check()
    assert messages > 1000
    assert not pair.model.crossed()
    assert min(len(levels) for levels in pair.model.levels) > 500
    assert pair.word(layout.B_ORPHANS) == pair.model.orphans > 0
    assert pair.word(layout.B_EVICTED) == 0
    assert layout.book_words(layout.BOOK_LEVELS_DEFAULT) * layout.WORD_BYTES < 1 << 20
