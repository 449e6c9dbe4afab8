"""The quick ways of the decoder: vector intrinsics against their plain twins, and no answer that depends on the way."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringbook.engine import layout, routes
from ringbook.engine.kernels import llvm

from . import plain_decode as twins
from . import strategies_decode as made
from .plain_decode import on_records, plain_rooms
from .scanning import INSTRUMENTS, POISONS, SCANNER, Scanner, check
from .test_decode import DIFF
from .test_decode_mutants import USDM_DIFF


@numba.njit
def signs_in(buf, at):
    return llvm.signs_in(buf, at)


@numba.njit
def bytes_like(buf, at, byte):
    return llvm.bytes_like(buf, at, byte)


@numba.njit
def bytes_unlike(buf, at, records, row, offset):
    return llvm.bytes_unlike(buf, at, records, row, offset)


@numba.njit
def read_count(buf, at, digits):
    return llvm.read_count(buf, at, digits)


texts = st.one_of(
    st.text('0123456789."', min_size=70, max_size=90).map(str.encode), st.binary(min_size=70, max_size=90)
)


@given(texts, st.integers(0, 6))
def test_masks(text: bytes, at: int) -> None:
    buf = np.frombuffer(text, np.uint8)
    assert signs_in(buf, at) == tuple(map(int, twins.signs_in(buf, at)))
    assert bytes_like(buf, at, text[9]) == twins.bytes_like(buf, at, text[9])


@given(st.integers(0, 10**16 - 1), st.sampled_from(POISONS))
def test_counts(value: int, poison: bytes) -> None:
    for text in (str(value), str(value).zfill(16), ""):
        buf = np.frombuffer(b"::" + text.encode() + poison * 16, np.uint8)
        assert read_count(buf, 2, len(text)) == int(text or "0")
        assert not text or twins.read_count(buf, 2, len(text)) == int(text)


@given(st.integers(0, 31), st.integers(1, 255))
def test_every_byte_is_compared(place: int, change: int) -> None:
    table = routes.build({bytes(range(33, 80)): (0, 1)})
    row = int(np.flatnonzero(table["used"])[0])
    offset = layout.route_dtype.fields["name"][1]
    text = bytearray(range(33, 80))
    text[place] ^= change
    buf = np.frombuffer(b"::" + bytes(text), np.uint8)
    assert bytes_unlike(buf, 2, table, row, offset) == 1 << place
    assert twins.bytes_unlike(buf, 2, table, row, offset) == 1 << place


def careful_scanner() -> Scanner:
    """One that never goes the usual way."""
    room = plain_rooms(("read_usual", "if kind > 0 else i64(-1)", "if kind < 0 else i64(-1)"))
    return Scanner(scan=on_records(room.scan))


CAREFUL = careful_scanner()


def same_answer(data: bytes, poison: bytes) -> None:
    """With and without the usual way: code, place, and what else is promised."""
    code = check(data, poison)
    assert check(data, poison, CAREFUL) == code
    assert SCANNER.frame["error_at"] == CAREFUL.frame["error_at"]
    assert SCANNER.frame["symbol_id"] == CAREFUL.frame["symbol_id"]
    if code in (layout.OFF_GRID, layout.OVERFLOW, layout.TOO_MANY_LEVELS):
        assert SCANNER.frame["kind"] == CAREFUL.frame["kind"]


@settings(max_examples=150)
@given(made.mutated(), st.sampled_from(POISONS))
def test_the_usual_way_changes_no_answer(data: bytes, poison: bytes) -> None:
    same_answer(data, poison)


USUAL = (DIFF, USDM_DIFF, USDM_DIFF.replace(b"@depth@", b"@depth20@"))


@pytest.mark.parametrize("data", USUAL)
def test_every_byte_of_a_usual_message_counts(data: bytes) -> None:
    for at in range(len(data)):
        for byte in b'0":,]x ':
            same_answer(data[:at] + bytes([byte]) + data[at + 1 :], b"9")
        same_answer(data[:at], data[at:] + b" ")


NUMBERS = (
    "0",
    "1",
    "01",
    "",
    "-1",
    "1.5",
    "1e3",
    "9" * 15,
    "9" * 16,
    "9" * 17,
    str(2**63 - 1),
    str(2**63),
    "8" * 20,
)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_the_head(number: str) -> None:
    for data in USUAL:
        for key in (b'"E":', b'"T":', b'"U":', b'"u":', b'"pu":'):
            head, found, tail = data.rpartition(key)
            rest = tail.lstrip(b"0123456789")
            same_answer(head + found + number.encode() + rest if found else data, b"9")


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda one: f"{len(one.symbol)} bytes")
def test_symbols_of_every_length(instrument) -> None:
    for wrong in (b"", b"X", b'"'):
        data = DIFF.replace(b"btcusdt", instrument.symbol.lower()).replace(
            b"BTCUSDT", instrument.symbol + wrong
        )
        same_answer(data, b"9")
    data = DIFF.replace(b"btcusdt", instrument.symbol.lower()).replace(
        b"BTCUSDT", instrument.symbol[:-1] + b"?"
    )
    same_answer(data, b"9")


@pytest.mark.parametrize(
    "price", ["1.50", "12.50", "1.5", "150", "1.505", "12345678.50", "123456789.50", ".5"]
)
def test_forms_that_change_within_and_between_the_lists(price: str) -> None:
    other, good = f'["{price}","2.00"]', '["7.25","1.00"]'
    for bids in ((good, other, good), (other, other), (good,), (good, good, other), ()):
        for asks in ((good, other), (other, good), ()):
            lists = f'"b":[{",".join(bids)}],"a":[{",".join(asks)}]}}}}'
            same_answer(DIFF[: DIFF.index(b'"b":')] + lists.encode(), b"9")
