"""The scanning primitives one by one: against json and Decimal, within their bounds whatever follows."""

import itertools
import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ringbook.engine import layout, routes
from ringbook.engine.kernels import decimals, forms, levels, names, text

from . import strategies_decode as made
from .model import decode as model
from .plain_decode import on_records, plain_rooms
from .scanning import POISONS, TABLE

PLAIN = plain_rooms()
BEGIN = 3  # something stands before the token, too
poisons = st.sampled_from(POISONS)
numbers = st.one_of(
    st.sampled_from([*made.ODD_NUMBERS, *made.ZEROS, *made.BARE]),
    st.decimals(allow_nan=False, allow_infinity=False, places=9).map(str),
    st.integers(-5, 10**20).map(str),
    st.from_regex(r"[0-9]{1,12}(\.[0-9]{0,12})?", fullmatch=True),
    st.text("0123456789.-+eE", max_size=12),
)


def placed(token: bytes, poison: bytes) -> tuple[np.ndarray, int, int]:
    tail = poison * (65 // len(poison) + 1)
    return np.frombuffer(b"::[" + token + tail, np.uint8), BEGIN, BEGIN + len(token)


@given(made.any_json | st.text('{}[]",:\\ 019.-eEtrufalsn\n', max_size=30), poisons)
def test_skip_value_takes_what_json_takes(token: str, poison: bytes) -> None:
    data = token.encode()
    buf, at, end = placed(data, poison)
    after, where = text.skip_value(buf, at, end)
    try:
        value = model.parse(data)
    except ValueError:
        assert after < 0 or text.skip_space(buf, after, end) < end  # no value, or something behind it
        return
    assert (after, where) == (BEGIN + len(data.rstrip(b" \n")), 0)
    if not isinstance(value, list):
        assert text.skip_scalar(buf, text.skip_space(buf, at, end), end)[0] == after


@pytest.mark.parametrize(
    ("depth", "code"), [(64, 0), (65, layout.NEEDS_SLOW_PATH), (100_000, layout.NEEDS_SLOW_PATH)]
)
def test_depth_is_bounded(depth: int, code: int) -> None:
    for data in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        after, _ = text.skip_value(*placed(data, b"9"))
        assert after == (BEGIN + len(data) if code == 0 else code)


@pytest.mark.parametrize(
    "data", [b"[}", b"{]", b"[1}", b'{"a":1]', b"[1,]", b'{"a":1,}', b"[,1]", b'{"a"}', b"{1:2}"]
)
def test_brackets_must_match(data: bytes) -> None:
    assert text.skip_value(*placed(data, b"]"))[0] == layout.MALFORMED


@given(numbers, st.integers(0, 18), st.booleans(), poisons)
def test_decimals(token: str, digits: int, quoted: bool, poison: bytes) -> None:
    assume(
        quoted or token == token.strip(" \t\r\n")
    )  # callers skip white space before and after a bare number
    data = f'"{token}"'.encode() if quoted else token.encode()
    try:
        value = model.parse(data)
    except ValueError:
        value = None
    faults = model.Faults()
    expected = faults.mantissa(value, digits)
    if b"\\" in data:
        faults.add(layout.NEEDS_SLOW_PATH)
    buf, at, end = placed(data, poison if quoted else b"]")
    for read in (decimals.read_decimal, on_records(PLAIN.read_decimal)):
        after, mantissa = read(buf, at, end, digits)
        if after < 0:
            assert after in faults or (value is None and not quoted)  # a good number before a stranger
            assert mantissa == BEGIN
        elif after < end:  # JSON would stop here and find a stranger
            assert value is None
        else:
            assert (after, mantissa, set(faults)) == (end, expected, set())
    for quick in (decimals.quick_decimal, on_records(PLAIN.quick_decimal)) if quoted and digits <= 8 else ():
        after, mantissa = quick(buf, at + 1, digits)
        assert after == 0 or after > end or (after, mantissa, set(faults)) == (end, expected, set())


@given(numbers, poisons)
def test_integers(token: str, poison: bytes) -> None:
    assume(token == token.strip(" \t\r\n"))
    data = token.encode()
    buf, at, end = placed(data, poison)
    for read in (decimals.read_integer, on_records(PLAIN.read_integer)):
        after, value = read(buf, at, end)
        assert after <= end
        if after >= 0:
            head = data[: after - BEGIN].decode()
            assert str(value) == head
            assert not data[after - BEGIN : after - BEGIN + 1].isdigit()
        elif after == layout.OVERFLOW:
            assert token[0] == "-" or int(Fraction(token.split(".")[0].split("e")[0].split("E")[0])) >= 2**63


@pytest.mark.parametrize("count", range(1, 25))
def test_integers_of_every_length(count: int) -> None:
    for token in ("1" + "0" * (count - 1), "9" * count, "1234567890123456789012345"[:count]):
        after, value = decimals.read_integer(*placed(token.encode(), b"9" if count > 24 else b","))
        assert (after, value) == (
            (BEGIN + count, int(token)) if int(token) < 2**63 else (layout.OVERFLOW, BEGIN)
        )
    after, _ = decimals.read_integer(*placed(b"9" * count, b"9"))  # digits may follow: never one taken
    assert after in (layout.MALFORMED, layout.OVERFLOW, BEGIN + count)


@given(st.sampled_from(TABLE).flatmap(lambda one: st.tuples(st.just(one), st.data())), poisons)
def test_levels_stay_within_the_list(drawn, poison: bytes) -> None:
    instrument, data = drawn
    token = data.draw(
        made.level_lists(model.Instrument(b"", int(instrument[0]), int(instrument[1])), odd=True)
    ).encode()
    cut = data.draw(st.integers(0, len(token)))
    rows = np.zeros((2, 64), layout.level_dtype)
    for read in (levels.read_levels, on_records(PLAIN.read_levels)):
        rows[:] = -7
        buf, at, end = placed(token[:cut], token[cut:] + poison)
        after, count = read(buf, at, end, instrument[0], instrument[1], rows, 1)
        assert after < 0 or (cut == len(token) and after == end and 0 <= count < 64)
        assert (rows["price"][0] == -7).all()


@pytest.mark.parametrize("digits", [0, 3, 8, 10])
def test_levels_of_every_form(digits: int) -> None:
    """As many digits before and behind the point as one load holds, and more."""
    rows = np.zeros((2, 4), layout.level_dtype)
    for count, places in itertools.product(range(1, 11), range(13)):
        fraction = "9876543210"[: min(places, digits)].ljust(places, "0")
        number = "1234567890"[:count] + ("." + fraction if places else "")
        expected = int(Decimal(number) * 10**digits)
        for price, qty in ((number, "7.000"), ("70", number), (number, number)):
            data = f'[["{price}","{qty}"],["{price}","0{qty}"],["{price}","{qty}"]]'.encode()
            after, found = levels.read_levels(*placed(data, b"9"), digits, digits, rows, 1)
            if expected >= 2**63:
                assert after == layout.OVERFLOW
                continue
            assert (after, found) == (BEGIN + len(data), 3)
            want = tuple(int(Decimal(text) * 10**digits) for text in (price, qty))
            assert rows[1, :3].tolist() == [want] * 3


@pytest.mark.parametrize("wrong", ["", ".5", "5.", ".", "1x", "x1", "1.5x", "1,5", "-1", "1.x", "1/2"])
def test_levels_that_are_no_numbers(wrong: str) -> None:
    """Behind a level that is one, so that the quick way expects another like it."""
    rows = np.zeros((2, 4), layout.level_dtype)
    for good in ("2.5", "25", "250"):
        for second in (f'["{wrong}","{good}"]', f'["{good}","{wrong}"]'):
            data = f'[["{good}","{good}"],{second},["{good}","{good}"]]'.encode()
            for read in (levels.read_levels, on_records(PLAIN.read_levels)):
                assert read(*placed(data, b"9"), 8, 8, rows, 0)[0] < 0


def test_levels_fill_rows_to_the_last() -> None:
    level = b'["1.50","2.00"]'
    rows = np.zeros((2, 4), layout.level_dtype)
    for count, expected in ((3, 3), (4, 4), (5, layout.TOO_MANY_LEVELS)):
        data = b"[" + b",".join([level] * count) + b"]"
        after, found = levels.read_levels(*placed(data, b"9"), 2, 2, rows, 0)
        assert (found if after > 0 else after) == expected
    assert (rows["price"][1] == 0).all()


def test_quick_levels_refuse_to_leave_the_text() -> None:
    """The two checks of the quick way that later checks repeat: seen only from near by."""
    data = b'[["1.50","2.00"],["1.60","2.00"]]'
    rows = np.zeros((2, 4), layout.level_dtype)
    for cut in range(1, len(data)):
        buf, at, end = placed(data[:cut], data[cut:] + b" ")
        form = forms.learn_form(buf, at + 1, end, 2, 2)
        after, row, is_over = levels.quick_levels(buf, at + 1, end, rows, 0, 0, form)
        assert (is_over, row) == (0, 1 if cut >= 19 else 0)
        assert after <= end
    for old in ("following <= end", "following - LAST_BYTES <= end"):
        wrong, beyond = on_records(plain_rooms(("run_of_levels", old, "following > 0")).quick_levels), []
        for cut in range(2, len(data)):
            buf, at, end = placed(data[:cut], data[cut:])
            form = forms.learn_form(buf, at + 1, end, 2, 2)
            beyond.append(wrong(buf, at + 1, end, rows, 0, 0, form)[0] > end)
        assert any(beyond)


@given(st.binary(min_size=1, max_size=layout.ROUTE_NAME_BYTES), st.integers(0, 40), poisons)
def test_names_hash_alike_in_python(name: bytes, more: int, poison: bytes) -> None:
    buf, at, _ = placed(name, poison)
    assert names.hash_bytes(buf, at, len(name)) == routes.hash_name(name)
    table = routes.build({name: (3, 2), b"other": (1, 1)})
    slot = names.find_route(buf, at, len(name), table)
    expected = (1, 1) if name == b"other" else (3, 2)
    assert (table[slot]["symbol_id"], table[slot]["kind"]) == expected
    if len(name) + more <= layout.ROUTE_NAME_BYTES and more:
        longer = name + poison * more
        assert (
            names.find_route(buf, at, len(name) + more, table) < 0 or longer[: len(name) + more] == b"other"
        )
    assert names.find_route(buf, at, 0, table) == names.find_route(buf, at, 2**40, table) == -1


def test_every_byte_of_a_name_counts() -> None:
    name = bytes(range(33, 33 + 90))
    table = routes.build({name: (0, 1)}, 8)
    home = int(np.flatnonzero(table["used"])[0])
    table["name"][:] = table["name"][home]  # every slot holds it: only the comparison can tell
    table["used"], table["length"] = 1, len(name)
    for at in range(len(name)):
        other = name[:at] + b"\0" + name[at + 1 :]
        assert names.find_route(np.frombuffer(other + b"9" * 64, np.uint8), 0, len(name), table) == -1
    table["length"] = 89
    assert (
        names.find_route(np.frombuffer(name + b"9" * 64, np.uint8), 0, len(name), table) == -1
    )  # and it ends


def test_plain_json_leaves() -> None:
    for token in ("true", "false", "null", '"a\\u00e9\\n"', "-1.5e+10", "0"):
        buf, at, end = placed(token.encode(), b"9" if token[0] in '"tfn' else b",")
        expected = (end, int("\\" in token))
        assert json.loads(token) == json.loads(token.encode())
        assert text.skip_scalar(buf, at, end) == on_records(PLAIN.skip_scalar)(buf, at, end) == expected
        for cut in range(len(token) - (token[0] in "-0")):
            assert text.skip_scalar(*placed(token[:cut].encode(), b"\0"))[0] in (
                layout.MALFORMED,
                BEGIN + cut,
            )
    for token in (
        '"\\x"',
        '"\\u12g4"',
        '"\n"',
        "01",
        "1.",
        ".5",
        "-",
        "tru",
        "nul",
        "fals",
        "1e",
        "1e+",
        "+1",
        "",
    ):
        buf, at, end = placed(token.encode(), b"\0")
        assert text.skip_scalar(buf, at, end)[0] == layout.MALFORMED
