"""Decimal text and mantissas against Decimal; the route table against a dict."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout, routes, units

digits = st.integers(0, 18)
int64s = st.integers(-(2**63), 2**63 - 1)


@given(int64s, digits)
def test_text_and_mantissa_are_each_others_inverse(mantissa: int, places: int) -> None:
    text = units.to_text(mantissa, places)
    assert Decimal(text) == Decimal(mantissa).scaleb(-places)
    assert not ("." in text and text.endswith(("0", ".")))
    assert units.to_mantissa(text, places) == units.to_mantissa(text.encode(), places) == mantissa


@given(
    st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True).filter(str.isascii),
    digits,
)
def test_mantissas_are_exact_or_refused(text: str, places: int) -> None:
    with localcontext(prec=400):
        scaled = Decimal(text).scaleb(places)
        is_whole = scaled == scaled.to_integral_value()
    if is_whole and -(2**63) <= scaled < 2**63:
        assert units.to_mantissa(text, places) == int(scaled)
    else:
        with pytest.raises(ValueError, match="expected"):
            units.to_mantissa(text, places)


@pytest.mark.parametrize(
    ("mantissa", "places", "text"),
    [
        (6160150, 2, "61601.5"),
        (12, 2, "0.12"),
        (100, 0, "100"),
        (0, 8, "0"),
        (-5, 1, "-0.5"),
        (1, 18, "0." + "0" * 17 + "1"),
    ],
)
def test_texts(mantissa: int, places: int, text: str) -> None:
    assert units.to_text(mantissa, places) == text
    assert units.to_text(np.int64(mantissa), places) == text


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("0.01000000", 2),
        ("1.00", 0),
        ("0.00000001", 8),
        ("1e-9", 9),
        ("100", 0),
        ("10.0", 0),
        ("0.5", 1),
        (b"0.10", 1),
    ],
)
def test_digits_of_steps(step: str | bytes, expected: int) -> None:
    assert units.digits_of(step) == expected


@pytest.mark.parametrize(
    "step", ["", "0", "0.000", "-0.01", "abc", "1e-19", "0.0000000000000000001", "1,0", "٣"]
)
def test_steps_that_cannot_be(step: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        units.digits_of(step)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        ".5",
        "1.",
        "+1",
        "1e",
        "nan",
        "inf",
        "1_0",
        "0x1",
        "1\n",
        b"\xff",
        "1e999999999999",
        "9" * 10_000,
    ],
)
def test_texts_that_are_no_mantissa(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        units.to_mantissa(text, 8)


def test_zero_has_many_spellings() -> None:
    for text in ("0", "0.0", "0.00000000", "-0", "0e99999999999999", "00", "0." + "0" * 10_000):
        assert units.to_mantissa(text, 2) == 0


def test_errors_say_what_to_do() -> None:
    with pytest.raises(
        ValueError, match=r"'61601.505' has 3 decimals, expected at most 2; read the instrument"
    ):
        units.to_mantissa("61601.505", 2)
    with pytest.raises(
        ValueError, match=r"leaves int64, expected at most 92233720368.54775807; use fewer decimals"
    ):
        units.to_mantissa("92233720368.54775808", 8)
    for bad in (-1, 19):
        with pytest.raises(ValueError, match=f"digits was {bad}, expected 0..18"):
            units.to_text(1, bad)
        with pytest.raises(ValueError, match=f"digits was {bad}, expected 0..18"):
            units.to_mantissa("1", bad)


def test_times() -> None:
    assert units.ms_to_ns(1723161255208) == 1723161255208_000_000
    assert units.us_to_ns(1723161255208123) == 1723161255208123_000


names = st.binary(min_size=1, max_size=20) | st.sampled_from([b"a", b"b", b"x" * layout.ROUTE_NAME_BYTES])
places = st.tuples(st.integers(0, 2**31), st.integers(0, 6))


@given(st.lists(st.tuples(st.booleans(), names, places), max_size=40))
def test_routes_follow_a_dict(steps: list[tuple[bool, bytes, tuple[int, int]]]) -> None:
    table, truth = routes.build({}, 256), {}
    for is_added, name, place in steps:
        if is_added:
            routes.add(table, name, *place)
            truth[name] = place
        else:
            assert routes.remove(table, name) == (truth.pop(name, None) is not None)
    assert np.count_nonzero(table["used"]) == len(truth)
    for name in {name for _, name, _ in steps}:
        assert routes.find(table, name) == truth.get(name)


def test_runs_of_colliding_names_survive_removal() -> None:
    same = [name for name in (b"n%d" % i for i in range(4_000)) if routes.hash_name(name) & 15 == 15][:4]
    for gone in same:
        table = routes.build({name: (number, 0) for number, name in enumerate(same)}, 16)
        assert routes.remove(table, gone)
        assert [routes.find(table, name) is None for name in same] == [name == gone for name in same]


def test_tables_are_at_most_a_quarter_full() -> None:
    for count in (0, 1, 2, 3, 100, 1_024):
        slots = routes.slots_for(count)
        assert slots & (slots - 1) == 0
        assert slots >= max(8, 4 * count) > (slots // 2 if count > 2 else 0)
    with pytest.raises(ValueError, match="full with 4 names, expected at least 32 slots"):
        routes.build({b"%d" % i: (0, 0) for i in range(5)}, 16)


@pytest.mark.parametrize("name", [b"", b"x" * 97])
def test_names_have_a_bounded_length(name: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected 1\.\.96"):
        routes.build({name: (0, 0)})


@pytest.mark.parametrize("slots", [0, 4, 12, -8])
def test_tables_have_a_power_of_two(slots: int) -> None:
    with pytest.raises(ValueError, match="expected a power of two"):
        routes.build({}, slots)
