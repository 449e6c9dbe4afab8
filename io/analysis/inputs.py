"""What every analysis does first: check the records, choose the symbol, number its runs; and its units."""

import functools
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from ...engine import jit, layout
from ...engine.analysis.fields import DURATION_MOST_NS
from ...engine.analysis.runs import mark_runs
from ..errors import AnalysisError
from ..views import row_of

HOLES = ("lost", "selected")
QUOTE_KINDS = {"BOOK": layout.KIND_BOOK, "TICKER": layout.KIND_TICKER, "DEPTH": layout.KIND_DEPTH}
ROW = [("seq", "<i8"), ("recv_ns", "<i8")]  # the first columns of every answer with a row per record
MANTISSA_MOST = 1 << 62


@dataclass(frozen=True)
class Chosen:
    """Records of one symbol, ready for the kernels."""

    records: np.ndarray  # record_dtype(top_n)[n]
    words: np.ndarray  # the same memory, int64[n, slot_words]
    runs: np.ndarray  # int64[n], see engine/analysis/runs.py
    top_n: int
    symbol_id: int
    row: np.void | None  # of the symbol table, if it was given
    price_digits: int  # 0 without a table: prices stay mantissas
    qty_digits: int

    def empty(self, columns: int) -> np.ndarray:
        """Room for a kernel's answer, float64[n, columns]."""
        return np.empty((len(self.records), columns))

    def per_record(self, names: tuple[str, ...]) -> np.ndarray:
        """A row per record with seq and recv_ns filled and a float for each name, still unset."""
        out = np.empty(len(self.records), np.dtype(ROW + [(name, "<f8") for name in names]))
        out["seq"], out["recv_ns"] = self.records["seq"], self.records["recv_ns"]
        return out

    def price(self, mantissas: Any) -> Any:
        """Prices as floats in the symbol's unit."""
        return mantissas / 10.0**self.price_digits

    def qty(self, mantissas: Any) -> Any:
        """Quantities as floats in the symbol's unit."""
        return mantissas / 10.0**self.qty_digits

    def qty_mantissa(self, value: Any, name: str) -> int:
        """A quantity in the symbol's unit as its exact mantissa."""
        try:
            scaled = Decimal(str(value)).scaleb(self.qty_digits)
            mantissa = int(scaled) if scaled.is_finite() and scaled == scaled.to_integral_value() else 0
        except InvalidOperation:
            mantissa = 0
        if not 1 <= mantissa <= MANTISSA_MOST:
            raise AnalysisError(
                f"{name} was {value!r}, expected a quantity above 0 with at most {self.qty_digits} decimals"
                + ("" if self.row is not None else "; without table=bus.symbol_rows it is a mantissa")
            )
        return mantissa


def choose(
    records: np.ndarray,
    symbol: int | str | None,
    table: np.ndarray | None,
    holes: str | None,
    rooms: tuple[str, ...],
    *,
    looks_back: bool = True,
) -> Chosen:
    """Check the records, find the symbol, compile what is needed, number the runs.

    rooms       kernel files to warm besides the common ones
    looks_back  whether the analysis joins records, so that a hole in seq matters
    """
    records, top_n = as_records(records)
    symbol_id = _symbol_id(records, symbol, table)
    row = table[symbol_id] if table is not None and symbol_id < len(table) else None
    holes_break = looks_back and _holes_break(records, holes)
    _ready(rooms)
    words = records.view(np.int64).reshape(len(records), layout.slot_bytes(top_n) // layout.WORD_BYTES)
    runs = np.empty(len(records), np.int64)
    mark_runs(words, symbol_id, int(holes_break), runs)
    digits = [0, 0] if row is None else [min(max(int(row[f"{of}_digits"]), 0), 18) for of in ("price", "qty")]
    return Chosen(records, words, runs, top_n, symbol_id, row, *digits)


@functools.cache
def _ready(rooms: tuple[str, ...]) -> None:
    """Compile or load the kernels of `rooms`, once: looking whether they are ready costs a millisecond."""
    jit.warm(rooms=("fields", "runs", *rooms))


def as_records(records: Any) -> tuple[np.ndarray, int]:
    """The records as a contiguous array of record_dtype, and its top_n; the array itself where it is one.

    numpy.concatenate gives overlapping fields places of their own; such an array is put together again.
    """
    expected = "expected an array as bus.records(n) gives it: one axis of ringbook.record_dtype(top_n)"
    names = layout.record_dtype().names
    if not isinstance(records, np.ndarray) or records.dtype.names != names or records.ndim != 1:
        found = (
            f"{records.dtype} of shape {records.shape}" if isinstance(records, np.ndarray) else type(records)
        )
        raise AnalysisError(f"records were {found}, {expected}")
    shape = records.dtype["price"].shape
    if len(shape) != 2 or shape[0] != layout.SIDES or not 1 <= shape[1] <= layout.TOP_N_MAX:
        raise AnalysisError(f"records have prices of shape {shape}, {expected}")
    wanted = layout.record_dtype(shape[1])
    if records.dtype == wanted:
        return np.require(records, requirements=["C", "A"]), shape[1]
    out = np.zeros(len(records), wanted)
    for name in names or ():
        if records.dtype[name] != wanted[name]:
            raise AnalysisError(f"field {name} was {records.dtype[name]}, {expected}")
        out[name] = records[name]
    return out, shape[1]


def _symbol_id(records: np.ndarray, symbol: int | str | None, table: np.ndarray | None) -> int:
    if isinstance(symbol, str):
        if table is None:
            raise AnalysisError(
                f"symbol was {symbol!r} without a table; pass table=bus.symbol_rows, or its id"
            )
        return row_of(table, symbol)
    if symbol is not None:
        if not 0 <= int(symbol) < 1 << 32:
            raise AnalysisError(f"symbol was {symbol}, expected a symbol_id of 0 or more")
        return int(symbol)
    ids = records["symbol_id"]
    found = ids[:1].tolist() if (ids == ids[:1]).all() else np.unique(ids).tolist()
    if len(found) > 1:
        shown = [_name(number, table) for number in found[:8]]
        raise AnalysisError(
            f"records hold {len(found)} symbols ({', '.join(shown)}{', …' if len(found) > 8 else ''}), "
            "expected one; pass symbol= to choose it"
        )
    return int(found[0]) if found else 0


def _name(symbol_id: int, table: np.ndarray | None) -> str:
    known = table is not None and symbol_id < len(table)
    return f"{symbol_id} {table[symbol_id]['symbol'].decode(errors='replace')}" if known else str(symbol_id)  # type: ignore[index]


def _holes_break(records: np.ndarray, holes: str | None) -> bool:
    """Whether a hole in seq is a loss; refuses to guess."""
    if holes is not None and holes not in HOLES:
        raise AnalysisError(f"holes was {holes!r}, expected 'lost' or 'selected'")
    if holes is not None:
        return holes == "lost"
    at = np.flatnonzero(np.diff(records["seq"]) != 1)
    if len(at):
        raise AnalysisError(
            f"seq has {len(at)} holes, the first after {records['seq'][at[0]]}; pass holes='selected' if these records "
            "were chosen by symbol or kind, holes='lost' if others were lost: nothing is computed across those"
        )
    return False


def quote_kind(kind: str | int) -> int:
    """Code of a kind of record that carries levels."""
    code = QUOTE_KINDS.get(kind, -1) if isinstance(kind, str) else int(kind)
    if code not in QUOTE_KINDS.values():
        raise AnalysisError(f"kind was {kind!r}, expected one of {', '.join(QUOTE_KINDS)}")
    return code


def whole(value: Any, name: str, most: int = DURATION_MOST_NS, least: int = 1) -> int:
    """An integer argument in its range; a float is taken if it is one, as 1e9 is."""
    if (
        not isinstance(value, int | float | np.integer | np.floating)
        or not least <= value <= most
        or value != int(value)
    ):
        raise AnalysisError(f"{name} was {value!r}, expected a whole number in {least}..{most}")
    return int(value)


def level_count(depth: Any, chosen: Chosen) -> int:
    """A depth that the records can answer for."""
    if not isinstance(depth, int | np.integer) or not 1 <= depth <= chosen.top_n:
        raise AnalysisError(f"depth was {depth!r}, expected 1..{chosen.top_n}, the levels in these records")
    return int(depth)
