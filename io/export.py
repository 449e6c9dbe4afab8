"""Columns as pandas, polars and Arrow tables; the packages are imported when they are asked for (extra `export`)."""

import importlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import TIME, Choice, Column, columns
from .errors import RingbookError

if TYPE_CHECKING:
    from .records import Records

DECIMAL_PRECISION = 38  # 19 digits of an int64, shifted by at most 18


def need(package: str, what: str) -> Any:
    """An optional package, or a clear message how to get it."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise RingbookError(f"{what} needs the package {package}: pip install 'ringbook[export]'") from None


# ---------------------------------------------------------------- arrow
def to_arrow(records: "Records", prices: str, layout: str, levels: int | None) -> Any:
    """A pyarrow.Table; the decimals of every symbol stand in its metadata too, under `ringbook.symbols`."""
    pa = need("pyarrow", "to_arrow()")
    found = columns(records, Choice(prices, layout, levels))
    arrays = [_arrow_column(pa, column) for column in found]
    rows = records.symbol_rows
    names = ("price_digits", "qty_digits")
    scales = [{"symbol": r["symbol"].decode(errors="replace"), **{n: int(r[n]) for n in names}} for r in rows]
    fields = [
        pa.field(c.name, a.type, nullable=c.missing is not None or c.is_absent is not None)
        for c, a in zip(found, arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, {"ringbook.symbols": json.dumps(scales)}))


def _arrow_column(pa: Any, column: Column) -> Any:
    if column.is_absent is None:
        return _arrow_values(pa, column, column.values, column.missing)
    missing = column.missing if column.missing is not None else np.zeros(column.values.shape, bool)
    inner = _arrow_values(pa, column, column.values[~missing], None)
    ends = np.concatenate([[0], np.cumsum((~missing).sum(1))]).astype(np.int32)
    no_list = np.concatenate([column.is_absent, [False]])
    return pa.ListArray.from_arrays(pa.array(ends, mask=no_list), inner)


def _arrow_values(pa: Any, column: Column, values: np.ndarray, missing: np.ndarray | None) -> Any:
    if column.words is not None:
        words = pa.array(column.words, pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(values, pa.int32(), mask=missing), words)
    if column.digits is not None:
        return pa.array(values.tolist(), pa.decimal128(DECIMAL_PRECISION, column.digits))
    if column.what == TIME:
        return pa.array(np.ascontiguousarray(values), pa.int64(), mask=missing).cast(
            pa.timestamp("ns", tz="UTC")
        )
    return pa.array(np.ascontiguousarray(values), mask=missing)


# ---------------------------------------------------------------- polars
def to_polars(records: "Records", prices: str, layout: str, levels: int | None) -> Any:
    """A polars.DataFrame, by way of Arrow."""
    polars = need("polars", "to_polars()")
    need("pyarrow", "to_polars()")
    return polars.from_arrow(to_arrow(records, prices, layout, levels))


# ---------------------------------------------------------------- pandas
def to_pandas(records: "Records", prices: str, layout: str, levels: int | None) -> Any:
    """A pandas.DataFrame; needs no pyarrow."""
    pd = need("pandas", "to_pandas()")
    found = columns(records, Choice(prices, layout, levels))
    return pd.DataFrame({column.name: _pandas_column(pd, column) for column in found}, copy=False)


def _pandas_column(pd: Any, column: Column) -> Any:
    values, missing = np.ascontiguousarray(column.values), column.missing
    if column.is_absent is not None:
        return _pandas_lists(pd, column)
    if missing is None:
        return values
    if column.words is not None:
        return pd.Categorical.from_codes(np.where(missing, -1, values), categories=list(column.words))
    if column.digits is not None:
        return pd.Series(values, dtype=object)
    if column.what == TIME:
        stamps = np.where(missing, np.datetime64("NaT", "ns"), values.view("datetime64[ns]"))
        return pd.Series(stamps).dt.tz_localize("UTC")
    if values.dtype.kind == "f":
        return np.where(missing, np.nan, values)
    if values.dtype.kind == "b":
        return pd.arrays.BooleanArray(values, missing.copy())
    return pd.arrays.IntegerArray(values, missing.copy())


def _pandas_lists(pd: Any, column: Column) -> Any:
    """Each cell a numpy array; None in rows of kinds that have no levels."""
    assert column.missing is not None and column.is_absent is not None
    cells = np.empty(len(column.values), object)
    for at, (row, holes) in enumerate(zip(column.values, column.missing, strict=True)):
        cells[at] = None if column.is_absent[at] else row[~holes]
    return pd.Series(cells, dtype=object)
