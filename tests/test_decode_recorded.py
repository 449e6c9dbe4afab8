"""Recorded Binance messages through the scanner: equal to the model, and on the quick way."""

import gzip
import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout, routes
from ringbook.engine.kernels import binance, binance_usual, forms, levels

from .model import decode as model
from .model.decode import Instrument
from .scanning import KINDS, Scanner, stream_of, table_of

RECORDINGS = Path(
    os.environ.get("RINGBOOK_RECORDINGS") or Path(__file__).resolve().parents[2] / "shared" / "data"
)
EVERY = 20
# Recorded spot quantities go beyond the step size, down to the eight decimals of the asset.
FILES = {
    "binance-spot/btcusdt_20240808.gz": [Instrument(b"BTCUSDT", 2, 8), Instrument(b"BTCUSDT", 10, 8)],
    "binance-spot/btcusdt_20240809.gz": [Instrument(b"BTCUSDT", 2, 8)],
    "binance-usdm/ethusdt_20240808.gz": [Instrument(b"ETHUSDT", 2, 3), Instrument(b"ETHUSDT", 10, 8)],
}
CASES = [(name, instrument) for name, instruments in FILES.items() for instrument in instruments]


def messages(name: str) -> Iterator[bytes]:
    """Every 20th message, and every snapshot."""
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"no recording {path}; set RINGBOOK_RECORDINGS to the folder that holds {name}")
    with gzip.open(path) as lines:
        for number, line in enumerate(lines):
            text = line.rstrip(b"\n").partition(b" ")[2]
            if number % EVERY == 0 or text.startswith(b'{"lastUpdateId"'):
                yield text


def scanner_for(instrument: Instrument) -> tuple[Scanner, dict[bytes, tuple[int, int]]]:
    names = {stream_of(instrument.symbol, stream): (0, kind) for stream, kind in KINDS.items()}
    names |= {stream_of(instrument.symbol, b"depth@0ms"): (0, layout.KIND_BOOK), instrument.symbol: (0, 0)}
    return Scanner(table_of([instrument]), routes.build(names)), names


@pytest.mark.parametrize(("name", "instrument"), CASES)
def test_recorded_messages(name: str, instrument: Instrument) -> None:
    scanner, names = scanner_for(instrument)
    kinds: Counter[int] = Counter()
    for data in messages(name):
        if data.startswith(b'{"lastUpdateId"'):
            code, expected = scanner.scan_snapshot(data, 0), model.expect_snapshot(data, 0, [instrument])
        else:
            code, expected = scanner.scan(data), model.expect(data, names, [instrument])
        assert code == layout.DECODED, (code, data[:300])
        scanner.check(code, expected, data)
        kinds[int(scanner.frame[0]["kind"])] += 1
    assert min(kinds[kind] for kind in (layout.KIND_BOOK, layout.KIND_TRADE, layout.KIND_TICKER)) > 100


@pytest.mark.parametrize(("name", "instrument"), CASES)
def test_recorded_messages_go_the_quick_way(name: str, instrument: Instrument) -> None:
    scanner, _ = scanner_for(instrument)
    total = careful = 0
    for data in islice(messages(name), 2_500):
        buf, begin, end = scanner.place(data, b"9")
        arguments = (scanner.names, scanner.table, scanner.frame, scanner.rows)
        if not data.startswith(b'{"lastUpdateId"'):
            assert binance.scan_usual(buf, begin, end, *arguments)[0] == layout.DECODED
        if b'"depthUpdate"' in data:
            at = begin + data.index(b'{"e":')
            after = binance_usual.read_usual(buf, at, end, layout.KIND_BOOK, *arguments[1:])
            assert after == end - 1
        for key in (b'"b":[[', b'"a":[[', b'"bids":[[', b'"asks":[['):
            at = data.find(key)
            if at < 0:
                continue
            at, row, is_over = begin + at + len(key) - 1, 0, 0
            while not is_over:  # as read_levels does, counting what it would read carefully
                form = forms.learn_form(buf, at, end, instrument.price_digits, instrument.qty_digits)
                at, row, is_over = levels.quick_levels(buf, at, end, scanner.rows, 0, row, form)
                if not is_over:
                    at, _ = levels.read_level(
                        buf, at, end, instrument.price_digits, instrument.qty_digits, scanner.rows, 0, row
                    )
                    row, careful = row + 1, careful + 1
                    is_over, at = buf[at] == ord("]"), at + 1
            total += row
    assert total > 5_000
    assert careful <= total // 5_000, f"{careful} of {total} levels were read carefully"


def test_a_wrong_scale_is_seen() -> None:
    instrument = Instrument(b"BTCUSDT", 2, 8)
    scanner, names = scanner_for(instrument)
    wrong = [Instrument(b"BTCUSDT", 3, 8)]
    data = next(text for text in messages(CASES[0][0]) if b"depthUpdate" in text and b'"b":[[' in text)
    code = scanner.scan(data)
    with pytest.raises(AssertionError):
        scanner.check(code, model.expect(data, names, wrong), data)


def test_a_recorded_quantity_beyond_the_step_is_off_grid() -> None:
    scanner, _ = scanner_for(Instrument(b"BTCUSDT", 2, 5))
    data = b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2,' + (
        b'"b":[],"a":[["200000.00000000","25.42618900"]]}}'
    )
    assert scanner.scan(data) == layout.OFF_GRID
    assert np.array_equal(scanner.frame["symbol_id"], [0])
