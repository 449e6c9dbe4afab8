"""Records as tables: every integer exact, times typed, holes missing, for all kinds and whatever the bytes."""

import importlib
import sys
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.layout import KIND_BOOK, KIND_DELTA, KIND_DEPTH, KIND_STATUS, KIND_TICKER, KIND_TRADE
from ringbook.io.columns import LAYOUTS, PRICES
from ringbook.io.errors import RingbookError
from ringbook.io.records import Records

TOP_N = 3
SIDES = (("bid", 0), ("ask", 1))
TIMES = ("event", "txn", "recv", "publish")
ALL_KINDS = (None, *layout.KIND_NAMES)
LEVELLED = {KIND_BOOK, KIND_TICKER, KIND_DEPTH, KIND_DELTA}


def symbol_rows(*digits: tuple[int, int]) -> np.ndarray:
    """A symbol table; the last row has the first one's name again, as after a rescale."""
    rows = np.zeros(len(digits), layout.symbol_dtype)
    for at, (price, qty) in enumerate(digits):
        rows[at] = (b"S%d" % (at if at < len(digits) - 1 else 0), b"test", price, qty, 1, 1, 1, 0)
    return rows


INT64 = st.integers(-(1 << 63) + 1, (1 << 63) - 1)
SMALL = st.integers(0, 7)


@st.composite
def any_records(draw) -> Records:
    """Records of all kinds whose payload is anything, with symbols and codes that are sometimes unknown."""
    rows = symbol_rows(*draw(st.lists(st.tuples(st.integers(0, 18), st.integers(0, 18)), max_size=3)))
    count = draw(st.integers(0, 5))
    raw = np.zeros(count, layout.record_dtype(TOP_N))
    words = raw.view(np.int64)
    words[:] = draw(st.lists(INT64, min_size=len(words), max_size=len(words)))
    for record in raw:
        record["kind"], record["symbol_id"] = (
            draw(st.sampled_from(sorted(layout.KIND_NAMES))),
            draw(st.integers(0, 3)),
        )
        record["health"], record["side"] = draw(SMALL), draw(st.sampled_from([0, 1, 255]))
        record["count"] = draw(st.tuples(st.integers(0, TOP_N), st.integers(0, TOP_N)))
        if record["kind"] == KIND_STATUS:
            record["old_health"], record["cause"] = draw(SMALL), draw(st.integers(-1, 14))
        for name in (*TIMES,):
            record[f"{name}_ns"] = draw(st.sampled_from([0, 1, 1_700_000_000_123_456_789]))
    kind = draw(st.sampled_from(ALL_KINDS))
    made = Records.of(raw, rows)
    return made if kind is None else made.of_kind(kind)


def columns_of(table) -> dict[str, list]:
    """An arrow table as Python values; times as nanoseconds."""
    found = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        found[name] = (column.cast("int64") if name.endswith("_time") else column).to_pylist()
    return found


def expected(records: Records) -> Iterator[tuple[str, list]]:
    """What the integer columns of a wide table must hold, computed record by record."""
    raw = records.view(np.ndarray)

    def when(kinds, value):
        return [value(r) if int(r["kind"]) in kinds else None for r in raw]

    yield "seq", raw["seq"].tolist()
    yield "kind", [layout.KIND_NAMES[int(r["kind"])] for r in raw]
    names = [row["symbol"].decode() for row in records.symbol_rows]
    ids = raw["symbol_id"].tolist()
    yield "symbol", [names[at] if at < len(names) else None for at in ids]
    for name in ("price_digits", "qty_digits"):
        yield name, [int(records.symbol_rows[at][name]) if at < len(names) else None for at in ids]
    yield "health", [dict(enumerate(layout.HEALTH_NAMES)).get(int(r["health"])) for r in raw]
    for name in TIMES:
        yield f"{name}_time", [int(r[f"{name}_ns"]) or None for r in raw]
    only = {KIND_TRADE}
    yield "side", when(only, lambda r: {0: "buy", 1: "sell"}.get(int(r["side"])))
    for name, field in (("price", "trade_price"), ("qty", "trade_qty"), ("trade_id", "trade_id"),
                        ("first_trade_id", "trade_first_id"), ("last_trade_id", "trade_last_id")):  # fmt: skip
        yield name, when(only, lambda r, f=field: int(r[f]))
    yield "aggregated", when(only, lambda r: bool(r["flags"] & 1))
    for level in range(TOP_N):
        for prefix, side in SIDES:
            for field in ("price", "qty"):
                yield (
                    f"{prefix}_{field}_{level}",
                    when(
                        LEVELLED,
                        lambda r, f=field, s=side, n=level: int(r[f][s, n]) if n < r["count"][s] else None,
                    ),
                )
    for prefix, side in SIDES:
        yield f"{prefix}_depth", when({KIND_BOOK, KIND_DELTA}, lambda r, s=side: int(r["depth"][s]))
        yield (
            f"{prefix}_horizon",
            when(
                {KIND_BOOK, KIND_DELTA},
                lambda r, s=side: None if r["horizon"][s] == layout.HORIZON_OPEN[s] else int(r["horizon"][s]),
            ),
        )
    causes = dict(enumerate(layout.CAUSE_NAMES))
    yield "cause", when({KIND_BOOK, KIND_STATUS}, lambda r: causes.get(int(r["cause"])))
    yield (
        "old_health",
        when({KIND_STATUS}, lambda r: dict(enumerate(layout.HEALTH_NAMES)).get(int(r["old_health"]))),
    )
    for name in ("ids_missed", "blind_ns"):
        yield name, when({KIND_STATUS}, lambda r, n=name: int(r[n]))


@given(any_records())
def test_every_value_of_an_arrow_table_is_exact(records: Records) -> None:
    found, wanted = columns_of(records.to_arrow()), dict(expected(records))
    assert len(found["seq"]) == len(records)
    for name, values in found.items():
        if name in wanted:
            assert values == wanted[name], name
        else:
            assert values == records[name].tolist(), name
    if records.kind is None:
        assert set(wanted) <= set(found)


@given(any_records(), st.sampled_from(PRICES), st.sampled_from(LAYOUTS))
def test_pandas_and_polars_hold_what_arrow_holds(records: Records, prices: str, shape: str) -> None:
    import pandas

    arrow = records.to_arrow(prices=prices, layout=shape)
    frame, polars = (
        records.to_pandas(prices=prices, layout=shape),
        records.to_polars(prices=prices, layout=shape),
    )
    wanted = columns_of(arrow)
    assert list(frame.columns) == polars.columns == arrow.column_names
    for name, values in wanted.items():
        column = frame[name]
        if name.endswith("_time"):
            assert str(column.dtype) == "datetime64[ns, UTC]"
            shown = [None if pandas.isna(one) else one.value for one in column]
            assert polars[name].dt.epoch("ns").to_list() == values
        else:
            shown = [
                one.tolist() if isinstance(one, np.ndarray) else None if pandas.isna(one) else one
                for one in column.astype(object)
            ]
            assert polars[name].to_list() == values, name
        assert shown == values, name


@given(any_records(), st.sampled_from(["float", "decimal"]))
def test_scaled_prices_are_those_of_the_mantissas(records: Records, prices: str) -> None:
    exact, scaled = columns_of(records.to_arrow()), columns_of(records.to_arrow(prices=prices))
    assert not {"price_digits", "qty_digits"} & set(scaled)
    for name, values in scaled.items():
        if "price" not in name and "qty" not in name and "horizon" not in name:
            assert values == exact[name]
            continue
        digits = exact["qty_digits" if "qty" in name else "price_digits"]
        for value, mantissa, places in zip(values, exact[name], digits, strict=True):
            wanted = None if mantissa is None or places is None else Decimal(mantissa).scaleb(-places)
            if prices == "decimal" or wanted is None:
                assert value == wanted
            elif abs(mantissa) < 1 << 53 and places <= 22:
                assert value == float(wanted), "one division of two exact numbers"
            else:
                assert value == pytest.approx(float(wanted), rel=1e-15)


@given(any_records())
def test_lists_are_the_wide_columns_without_holes(records: Records) -> None:
    wide, lists = columns_of(records.to_arrow()), columns_of(records.to_arrow(layout="list"))
    for name in {"bid_price", "bid_qty", "ask_price", "ask_qty"} & set(lists):
        columns = [wide[f"{name}_{level}"] for level in range(TOP_N) if f"{name}_{level}" in wide]
        for at, found in enumerate(lists[name]):
            if int(records[at]["kind"]) in LEVELLED:
                assert found == [column[at] for column in columns if column[at] is not None]
            else:
                assert found is None


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("prices", PRICES)
@pytest.mark.parametrize("shape", LAYOUTS)
def test_no_records_still_have_every_column_and_type(kind, prices, shape) -> None:
    """The schema of a kind depends on nothing but what was asked for: tables can be put together."""
    rows = symbol_rows((2, 3), (8, 0))
    some = np.zeros(2, layout.record_dtype(TOP_N))
    some["kind"], some["count"] = kind or KIND_BOOK, 1
    full, empty = (Records.of(raw, rows, kind) for raw in (some, some[:0]))
    assert empty.to_arrow(prices=prices, layout=shape).schema.equals(
        full.to_arrow(prices=prices, layout=shape).schema
    )
    assert (
        empty.to_pandas(prices=prices, layout=shape).dtypes
        == full.to_pandas(prices=prices, layout=shape).dtypes
    ).all()
    assert (
        empty.to_polars(prices=prices, layout=shape).schema
        == full.to_polars(prices=prices, layout=shape).schema
    )


def test_columns_of_a_kind() -> None:
    made = Records.of(np.zeros(0, layout.record_dtype(TOP_N)), symbol_rows((2, 3)))
    header = made.of_kind("STATUS").to_arrow().column_names[:13]
    assert header[:5] == ["seq", "kind", "symbol", "symbol_id", "health"]

    def own(kind: str, **options) -> list[str]:
        return [name for name in made.of_kind(kind).to_arrow(**options).column_names if name not in header]

    digits = ["price_digits", "qty_digits"]
    assert own("TICKER") == ["bid_price_0", "bid_qty_0", "ask_price_0", "ask_qty_0", *digits]
    assert own("DEPTH", layout="list") == ["bid_price", "bid_qty", "ask_price", "ask_qty", *digits]
    assert len(own("DEPTH")) == 4 * TOP_N + 2 and len(own("DEPTH", levels=1)) == 4 + 2
    assert own("STATUS") == ["cause", "old_health", "ids_missed", "blind_ns"]
    assert own("TRADE", prices="float") == [
        "side", "price", "qty", "trade_id", "first_trade_id", "last_trade_id", "aggregated",
    ]  # fmt: skip


def test_wrong_options_are_explained() -> None:
    made = Records.of(np.zeros(0, layout.record_dtype(TOP_N)), symbol_rows())
    for wrong in ({"prices": "money"}, {"layout": "tall"}, {"levels": 0}):
        with pytest.raises(RingbookError, match="expected"):
            made.to_arrow(**wrong)
    with pytest.raises(RingbookError, match="expected one of BOOK"):
        made.of_kind("NEWS")


@pytest.mark.parametrize(
    ("method", "package"), [("to_pandas", "pandas"), ("to_polars", "polars"), ("to_arrow", "pyarrow")]
)
def test_a_missing_package_is_named(method: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    made = Records.of(np.zeros(0, layout.record_dtype(TOP_N)), symbol_rows())
    with pytest.raises(
        RingbookError, match=rf"needs the package {package}: pip install 'ringbook\[export\]'"
    ):
        getattr(made, method)()


def test_pandas_needs_no_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours does not ask for it; pandas itself is imported before, it looks for pyarrow on its own."""
    importlib.import_module("pandas")
    asked: list[str] = []
    from ringbook.io import export

    need = export.need
    monkeypatch.setattr(export, "need", lambda package, what: asked.append(package) or need(package, what))
    assert len(Records.of(np.zeros(2, layout.record_dtype(TOP_N)), symbol_rows()).to_pandas()) == 2
    assert asked == ["pandas"]
