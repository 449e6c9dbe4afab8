"""Records as the door hands them out: a structured array that knows its symbols and can become a table."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import layout
from ..engine.kernels import cursor as cursors
from ..engine.kernels import ring
from .attach import Attachment, symbol_table
from .errors import RingbookError
from .place import Place, kind_code
from .record_text import as_line

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

LINES = 5  # newest records that a repr shows


class Records(np.ndarray):
    """record_dtype[n], oldest first, with the symbol table beside it.

    It is a numpy array in every respect, for numba too: one record is an np.void, one field a plain array,
    a slice or a selection by mask is Records again. `records.view(np.ndarray)` is the bare array.

    symbol_rows  symbol_dtype[m], the table as it was; index = symbol_id
    kind         KIND_* when only that kind was asked for, else None
    """

    symbol_rows: np.ndarray
    kind: int | None

    @classmethod
    def of(cls, records: np.ndarray, symbol_rows: np.ndarray, kind: int | None = None) -> "Records":
        """The same memory as Records."""
        made = records.view(cls)
        made.symbol_rows, made.kind = symbol_rows, kind
        return made

    def __array_finalize__(self, source: Any) -> None:
        self.symbol_rows = getattr(source, "symbol_rows", np.zeros(0, layout.symbol_dtype))
        self.kind = getattr(source, "kind", None)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(found, Records) and found.dtype != self.dtype:
            return found.view(np.ndarray)  # a field: no longer records
        return found

    def __reduce__(self) -> tuple:
        return _restored, (self.view(np.ndarray), self.symbol_rows, self.kind)

    def of_kind(self, kind: str | int) -> "Records":
        """Only the records of a kind, by name or code."""
        code = kind_code(kind)
        found = self[self["kind"] == code]
        return Records.of(found.view(np.ndarray), self.symbol_rows, code)

    @property
    def symbols(self) -> list[str]:
        """Symbol of each record."""
        names = [name.decode(errors="replace") for name in self.symbol_rows["symbol"]]
        return [names[at] if at < len(names) else "" for at in self["symbol_id"].tolist()]

    def to_arrow(
        self, *, prices: str = "int", layout: str = "wide", levels: int | None = None
    ) -> "pyarrow.Table":
        """The records as a pyarrow.Table.

        prices  "int": exact mantissas, with columns price_digits and qty_digits; "float": float64;
                "decimal": exact decimal128
        layout  "wide": a column for each level, bid_price_0 bid_qty_0 ask_price_0 …; "list": bid_price,
                bid_qty, ask_price, ask_qty as lists
        levels  most levels a side; default all, of a TICKER one
        """
        from .export import to_arrow

        return to_arrow(self, prices, layout, levels)

    def to_pandas(
        self, *, prices: str = "int", layout: str = "wide", levels: int | None = None
    ) -> "pandas.DataFrame":
        """The records as a pandas.DataFrame; parameters as in to_arrow. Integers that may be missing are Int64."""
        from .export import to_pandas

        return to_pandas(self, prices, layout, levels)

    def to_polars(
        self, *, prices: str = "int", layout: str = "wide", levels: int | None = None
    ) -> "polars.DataFrame":
        """The records as a polars.DataFrame; parameters as in to_arrow."""
        from .export import to_polars

        return to_polars(self, prices, layout, levels)

    def __repr__(self) -> str:
        if self.dtype.names is None or self.ndim != 1:
            return repr(self.view(np.ndarray))
        codes, counts = np.unique(self["kind"], return_counts=True)
        names = [layout.KIND_NAMES.get(code, str(code)) for code in codes.tolist()]
        kinds = ", ".join(f"{count:,} {name}" for name, count in zip(names, counts.tolist(), strict=True))
        shown = [f"<Records: {kinds or 'none'}; to_pandas(), to_polars(), to_arrow() make tables>"]
        return "\n".join([*shown, *(self._line(record) for record in self[-LINES:])])

    __str__ = __repr__

    def _line(self, record: np.void) -> str:
        try:
            return as_line(record, self.symbol_rows[int(record["symbol_id"])])
        except (IndexError, ValueError, OverflowError):  # made by hand, or of a later version
            return f"seq {record['seq']}"


def _restored(records: np.ndarray, symbol_rows: np.ndarray, kind: int | None) -> Records:
    return Records.of(records, symbol_rows, kind)


def newest_records(link: Attachment, n: int, symbol: str | None, kind: str | int | None) -> Records:
    """Copy of the newest n records that the ring holds; see Bus.records."""
    if n < 0:
        raise RingbookError(f"n was {n}, expected 0 or more")
    place = Place(link, symbol, kind, "newest")
    words, _, geo = place.bus
    width, slots = int(geo[layout.GEO_SLOT_WORDS]), int(geo[layout.GEO_SLOT_MASK]) + 1
    out = np.zeros(min(n, slots) * width, np.int64)
    first, last = ring.oldest_readable(words, geo, link.first_seq), ring.newest(words, geo)
    count = cursors.copy_newest(words, geo, place.cursor, place.wanted, last, first, out)
    found = out[len(out) - count * width :].view(layout.record_dtype(link.top_n))
    return Records.of(found, symbol_table(words, geo), None if kind is None else kind_code(kind))
