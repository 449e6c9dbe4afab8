"""Runs the Binance scanner on one message and holds its answer against the model."""

from collections.abc import Callable

import numpy as np

from ringbook.engine import layout, routes
from ringbook.engine.kernels import binance

from .model import decode as model
from .model.decode import Instrument

# Magnitudes of real instruments, and what else a scale may be.
INSTRUMENTS = [
    Instrument(b"BTCUSDT", 2, 8),
    Instrument("币安人生USDT".encode(), 4, 1),
    Instrument(b"SHIBUSDT", 8, 2),
    Instrument(b"PEPEUSDT", 9, 0),
    Instrument(b"BTCUSD_PERP", 1, 0),
    Instrument(b"ETHUSDT", 2, 3),
    Instrument(b"MICROUSDT", 10, 8, 1_000),
    Instrument(b"X" * layout.SYMBOL_BYTES, 18, 18),
]
KINDS = {
    b"depth@100ms": layout.KIND_BOOK,
    b"depth20@100ms": layout.KIND_DEPTH,
    b"trade": layout.KIND_TRADE,
    b"aggTrade": layout.KIND_TRADE,
    b"bookTicker": layout.KIND_TICKER,
}


def stream_of(symbol: bytes, stream: bytes) -> bytes:
    return symbol.lower() + b"@" + stream


NAMES = {instrument.symbol: (number, 0) for number, instrument in enumerate(INSTRUMENTS)} | {
    stream_of(instrument.symbol, stream): (number, kind)
    for number, instrument in enumerate(INSTRUMENTS)
    for stream, kind in KINDS.items()
}
POISONS = (b"9", b'"', b"}", b"]", b",", b'"}]},"', b'"],["1.5","2.5"]]}}', b"\0", b" ", b"\xff")


def table_of(instruments: list[Instrument]) -> np.ndarray:
    """The instruments as a scanner gets them."""
    table = np.zeros(len(instruments), layout.instrument_dtype)
    for row, instrument in zip(table, instruments, strict=True):
        row["price_digits"], row["qty_digits"] = instrument.price_digits, instrument.qty_digits
        row["time_unit_ns"], row["symbol_length"] = instrument.time_unit_ns, len(instrument.symbol)
        row["symbol"] = np.frombuffer(instrument.symbol.ljust(layout.SYMBOL_BYTES, b"\0"), "<i8")
    return table


ROUTES, TABLE = routes.build(NAMES), table_of(INSTRUMENTS)


class Scanner:
    """The scanner with its own frame and rows.

    scan, scan_snapshot  the kernels, or doubtful copies of them
    """

    def __init__(
        self,
        table: np.ndarray = TABLE,
        names: np.ndarray = ROUTES,
        scan: Callable = binance.scan,
        scan_snapshot: Callable = binance.scan_snapshot,
    ) -> None:
        self.table, self.names = table, names
        self._scan, self._scan_snapshot = scan, scan_snapshot
        self.span = 0, 0  # where the last message lay in its buffer
        self.frame = np.zeros(1, layout.frame_dtype)
        self.rows = np.zeros((layout.SIDES, layout.ROWS_CAPACITY), layout.level_dtype)

    def place(self, data: bytes, poison: bytes) -> tuple[np.ndarray, int, int]:
        """The message inside a buffer full of poison; leftovers in frame and rows."""
        around = poison * (65 // len(poison) + 1)
        self.span = len(around), len(around) + len(data)
        self.frame.view(np.int64)[:] = self.rows[:, :40] = -77
        return np.frombuffer(around + data + around, np.uint8), len(around), len(around) + len(data)

    def scan(self, data: bytes, poison: bytes = b"9") -> int:
        buf, begin, end = self.place(data, poison)
        return int(self._scan(buf, begin, end, self.names, self.table, self.frame, self.rows))

    def scan_snapshot(self, data: bytes, symbol_id: int, poison: bytes = b"9") -> int:
        buf, begin, end = self.place(data, poison)
        return int(self._scan_snapshot(buf, begin, end, symbol_id, self.table, self.frame, self.rows))

    def answer(self) -> tuple[dict, tuple[list, list]]:
        """Frame and rows in the model's shape."""
        frame = {
            name: value.tolist()
            for name, value in zip(self.frame.dtype.names, self.frame[0], strict=True)
            if name != "error_at"
        }
        counts = [max(0, min(count, layout.ROWS_CAPACITY)) for count in frame["rows"]]
        rows = tuple(self.rows[side, : counts[side]].tolist() for side in range(layout.SIDES))
        return frame, rows

    def check(self, code: int, expected: model.Expected, data: bytes) -> None:
        """The code is an allowed one, and what was decoded is what the model decodes."""
        assert code in expected.codes, (code, expected.codes, data[:300])
        if code == layout.DECODED:
            assert self.answer() == (expected.frame, expected.rows), data[:300]
            assert self.frame[0]["error_at"] == -1
        else:
            assert self.span[0] <= self.frame[0]["error_at"] <= self.span[1] + 64, (code, data[:300])


SCANNER = Scanner()


def check(data: bytes, poison: bytes = b"9", scanner: Scanner = SCANNER) -> int:
    """Scan a message and hold the answer against the model; returns the code."""
    code = scanner.scan(data, poison)
    scanner.check(code, model.expect(data, NAMES, INSTRUMENTS), data)
    return code


def check_snapshot(data: bytes, symbol_id: int = 0, poison: bytes = b"9", scanner: Scanner = SCANNER) -> int:
    """The same for the body of a REST depth reply."""
    code = scanner.scan_snapshot(data, symbol_id, poison)
    scanner.check(code, model.expect_snapshot(data, symbol_id, INSTRUMENTS), data)
    return code
