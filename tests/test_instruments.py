"""Instruments out of exchangeInfo bodies: real shapes, thin ticks, and bodies nobody promised."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import instruments
from ringbook.engine.instruments import Instrument, InstrumentError, from_steps, parse_exchange_info


def entry(symbol: str, tick: Any, step: Any, **more: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "status": "TRADING",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "9000", "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "100", "stepSize": "0"},
        ],
        **more,
    }


def only(one: dict[str, Any]) -> Instrument:
    (found,) = parse_exchange_info({"timezone": "UTC", "symbols": [one]}).values()
    return found


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (entry("BTCUSDT", "0.01000000", "0.00001000", baseAssetPrecision=8), (2, 8, 1, 1000)),
        (entry("SHIBUSDT", "0.00000001", "1.00", baseAssetPrecision=2), (8, 2, 1, 100)),
        (entry("BTCIDR", "1.00", "0.00001", baseAssetPrecision=8), (0, 8, 1, 1000)),
        (entry("PEPEBTC", "0.000000001", "1", baseAssetPrecision=8), (9, 8, 1, 10**8)),
        (entry("HALF", "0.5", "25"), (1, 0, 5, 25)),
        (entry("BTCUSDT", "0.10", "0.001", contractType="PERPETUAL", pricePrecision=2, quantityPrecision=3,
               baseAssetPrecision=8), (1, 3, 1, 1)),
        (entry("1000PEPEUSDT", "0.0000001", "1", contractType="PERPETUAL", baseAssetPrecision=8), (7, 0, 1, 1)),
    ],
)  # fmt: skip
def test_scales_follow_tick_step_and_asset(one: dict[str, Any], expected: tuple[int, ...]) -> None:
    found = only(one)
    assert (found.price_digits, found.qty_digits, found.price_tick, found.qty_step) == expected
    assert found.name == one["symbol"] and found.status == "TRADING"


def test_coin_margined_contracts_call_their_status_otherwise() -> None:
    one = entry("BTCUSD_PERP", "0.1", "1", contractType="PERPETUAL", contractStatus="SETTLING")
    del one["status"]
    assert only(one).status == "SETTLING"


def test_symbols_in_any_script_and_only_the_wanted_ones() -> None:
    body = {"symbols": [entry("币安人生USDT", "0.0001", "0.1"), entry("ETHUSDT", "0.01", "0.0001")]}
    assert set(parse_exchange_info(body)) == {"币安人生USDT".encode(), b"ETHUSDT"}
    assert set(parse_exchange_info(body, ["币安人生USDT".encode(), b"GONE"])) == {"币安人生USDT".encode()}


def test_an_unwanted_broken_entry_does_not_matter() -> None:
    body = {"symbols": [entry("OLD", "0", "0"), entry("NEW", "0.01", "1"), {"symbol": "EMPTY"}]}
    assert set(parse_exchange_info(body, [b"NEW"])) == {b"NEW"}
    with pytest.raises(InstrumentError, match="OLD"):
        parse_exchange_info(body)


@pytest.mark.parametrize(
    "body", [None, [], "symbols", 5, {}, {"symbols": None}, {"symbols": {}}, {"code": -1003, "msg": "banned"}]
)
def test_a_body_of_another_shape_is_named(body: Any) -> None:
    with pytest.raises(
        InstrumentError, match=r"exchangeInfo was .*, expected an object with a list `symbols`"
    ):
        parse_exchange_info(body)


def test_a_huge_wrong_body_is_cut_short() -> None:
    with pytest.raises(InstrumentError) as caught:
        parse_exchange_info("x" * 10**6)
    assert len(str(caught.value)) < 200


PRICE = {"filterType": "PRICE_FILTER", "tickSize": "0.01"}


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (None, "no tickSize in its PRICE_FILTER"),
        (7, "no tickSize in its PRICE_FILTER"),
        ({}, "no tickSize in its PRICE_FILTER"),
        ([], "no tickSize in its PRICE_FILTER"),
        (["PRICE_FILTER"], "no tickSize in its PRICE_FILTER"),
        ([{"filterType": "PRICE_FILTER", "tickSize": 0.01}], "no tickSize in its PRICE_FILTER"),
        ([PRICE], "no stepSize in its LOT_SIZE"),
        ([PRICE, {"filterType": "LOT_SIZE"}], "no stepSize in its LOT_SIZE"),
        ([PRICE, {"filterType": "LOT_SIZE", "stepSize": "abc"}], "expected decimal text"),
        ([PRICE, {"filterType": "LOT_SIZE", "stepSize": "-1"}], "expected more than 0"),
        ([PRICE, {"filterType": "LOT_SIZE", "stepSize": "0.000"}], "expected more than 0"),
        ([PRICE, {"filterType": "LOT_SIZE", "stepSize": "1e-19"}], "expected at most 18"),
        ([PRICE, {"filterType": "LOT_SIZE", "stepSize": "1e30"}], "XUSDT"),
    ],
)
def test_a_wanted_entry_of_another_shape_names_the_symbol(filters: Any, message: str) -> None:
    with pytest.raises(InstrumentError, match=message) as caught:
        parse_exchange_info({"symbols": [{"symbol": "XUSDT", "filters": filters}]}, [b"XUSDT"])
    assert "XUSDT" in str(caught.value)


@pytest.mark.parametrize("digits", [-1, 9, 2.5, "8", None, [8], True])
def test_a_strange_asset_precision_is_not_believed(digits: Any) -> None:
    assert only(entry("XUSDT", "0.01", "0.001", baseAssetPrecision=digits)).qty_digits == 3


@given(price_digits=st.integers(0, 18), qty_digits=st.integers(0, 18), zeros=st.integers(0, 4))
def test_steps_of_one_unit_are_one_mantissa(price_digits: int, qty_digits: int, zeros: int) -> None:
    def unit(digits: int) -> str:
        return ("0." + "0" * (digits - 1) + "1" if digits else "1.") + "0" * zeros + ("" if digits else "0")

    found = from_steps(b"X", unit(price_digits), unit(qty_digits))
    assert (found.price_digits, found.qty_digits) == (price_digits, qty_digits)
    assert (found.price_tick, found.qty_step) == (1, 1)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["symbols", "symbol", "filters", "filterType", "tickSize", "stepSize", "status"]),
            inner,
        )
    ),
    max_leaves=20,
)


@given(body=trees, inner=st.lists(trees, max_size=3), wrap=st.booleans())
def test_any_json_gives_instruments_or_an_explained_refusal(body: Any, inner: list[Any], wrap: bool) -> None:
    symbols = [{"symbol": "X", **one} if isinstance(one, dict) else one for one in inner]
    with contextlib.suppress(InstrumentError):
        parse_exchange_info({"symbols": symbols} if wrap else body)


def test_the_fallback_is_wide_on_both_scales() -> None:
    wide = instruments.fallback(b"\xff\xfe")
    assert (wide.price_digits, wide.qty_digits, wide.price_tick, wide.qty_step) == (10, 8, 1, 1)
    assert wide.name
