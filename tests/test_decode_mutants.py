"""The decode kernels as plain Python: the answers of the compiled ones, and every mistake in them is seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringbook.engine import layout

from . import strategies_decode as made
from .plain_decode import on_records, plain_rooms
from .scanning import POISONS, SCANNER, Scanner, check, check_snapshot
from .test_decode import CODES, DIFF, FRAMES, SNAPSHOT

SHORT = {name: data for name, (data, _) in CODES.items() if len(data) < 4_000}


def plain_scanner(mutate: tuple[str, str, str] | None = None) -> Scanner:
    room = plain_rooms(mutate)
    return Scanner(scan=on_records(room.scan), scan_snapshot=on_records(room.scan_snapshot))


def renamed(symbol: bytes, levels: bytes) -> bytes:
    """A diff of another symbol, with these bids before its own."""
    other = DIFF.replace(b"BTCUSDT", symbol).replace(b"btcusdt", symbol.lower())
    return other.replace(b'"b":[', b'"b":[' + levels)


USDM_DIFF = FRAMES["usdm diff"].replace(b'"ps":"ETHUSDT",', b"").replace(b',"st":1', b"")
PLAIN = plain_scanner()
# Spaced and reordered forms too, so that the surveyed way is walked as well.
EXAMPLES = [
    *FRAMES.values(),
    *SHORT.values(),
    *(data[: len(data) // 2] for data in FRAMES.values()),
    *(data.replace(b",", b" ,\n").replace(b":", b" : ") for data in FRAMES.values()),
    DIFF.replace(b'"b":[[', b'"b":[["7.00000000","100000000.00000000"],["12345678.90000000","0"],['),
    FRAMES["ticker"].replace(b"25.36", b"25.361"),
    DIFF.replace(b'"b":[[', b'"b":[["61737.63000000","12345678.12345678"],["6.5","1.123456780"],['),
    DIFF.replace(b'"b":[[', b'"b":[["61737.63000000","1.00000000"],["61737.62000000","1.0000x000"],['),
    DIFF.replace(b'"b":[[', b'"b":[["61737.63000000","1.00000000"],[".62000000","1.00000000"],['),
    DIFF.replace(b'"b":[[', b'"b":[["9.63000000","1.00000000"],["10.62000000","1.00000000"],["9.0","1"],['),
    renamed(b"ETHUSDT", b'["7.25000000","1.00100000"],["7.25000000","1.00012000"],'),
    renamed(b"MICROUSDT", b'["7.25000000","1.00100000"],["7.25100000","1.00012000"],'),
    renamed(b"SHIBUSDT", b'["12345678.12345678","1.00"],["12345678.12345678","1.00"],').replace(
        b"46980", b"00000"
    ),
    renamed(b"X" * layout.SYMBOL_BYTES, b"").partition(b'X","U"')[0] + b'Y","U":1,"u":2,"b":[],"a":[]}}',
    USDM_DIFF,
    USDM_DIFF.replace(b'"T":1723161256302', b'"T":'),
    USDM_DIFF.replace(b"@depth@", b"@depth20@"),
    DIFF.replace(b'"U":50', b'"U":05'),
    DIFF.replace(b'"BTCUSDT"', b'"BTCUSDC"'),
    DIFF.replace(b'"a":[', b'"x":['),
    DIFF.replace(b"}}", b"]}"),
    DIFF.replace(b"@depth", b"@dXpth"),
    b'{"data":' + FRAMES["trade"] + b',"stream":"btcusdt@trade","x":[{}]}',
    b'{"m":false,"q":"4.0","p":"3.00","t":9223372036854775807,"s":"BTCUSDT","E":12345678,"e":"trade"}',
]


def same_answer(scanner: Scanner, data: bytes, poison: bytes) -> None:
    """Both agree with the model, on the code, and on where they stopped."""
    assert check(data, poison, scanner) == check(data, poison)
    assert scanner.frame["error_at"] == SCANNER.frame["error_at"]


@pytest.mark.parametrize("data", EXAMPLES)
def test_plain_and_compiled_agree(data: bytes) -> None:
    same_answer(PLAIN, data, b"9")


@settings(max_examples=60)
@given(made.mutated(), st.sampled_from(POISONS))
def test_plain_and_compiled_agree_on_mutated_messages(data: bytes, poison: bytes) -> None:
    same_answer(PLAIN, data, poison)  # and no load leaves the buffer


def test_plain_snapshot() -> None:
    assert check_snapshot(SNAPSHOT, scanner=PLAIN) == check_snapshot(SNAPSHOT) == layout.DECODED


MUTANTS = [
    ("learn_form", "i64(POW10[qty_digits])", "i64(POW10[price_digits])"),
    ("run_of_levels", "if read_pair(", "if 0 * read_pair("),
    ("fit_form", "HEAD_STEPS[count]", "HEAD_STEPS[QUICK_DIGITS]"),
    ("quick_levels", "0 < count <= most", "count <= most"),
    ("learn_form", "form_at(places, price_kept)", "form_at(places, places)"),
    ("learn_form", "form_at(qty_places, qty_kept)", "form_at(qty_places, qty_places)"),
    ("widen", "qty *= qty_unit", "qty *= price_unit"),
    ("learn_form", "TEXT_BYTES - 1 - price_kept", "i64(QUICK_DIGITS)"),
    ("usual_count", "u64(buf[at]) - u64(FIRST_DIGIT) < u64(DIGITS) and ", ""),
    ("usual_times", "not 0 < length <= LONG_BYTES", "False"),
    ("usual_times", "u64(64 - length)", "u64(63)"),
    ("usual_ids", "words[F_PREV] = -1", "words[F_PREV] = 0"),
    ("read_usual", "!= ASKS_WORD", "== 0"),
    ("read_usual", "buf[at] != CLOSE_OBJECT", "False"),
    ("read_usual", "kind == layout.KIND_DEPTH", "False"),
    ("find_route", "unlike == 0", "True"),
    ("read_level", "price, qty\n", "qty, price\n"),
    ("quick_decimal", "or part & ~keep", ""),
    ("read_mantissa", "code if code != 0 else beyond", "code"),
    ("push_digits", "digit != 0 and code == 0", "digit > 9"),
    ("read_decimal", "code == 0 and is_negative", "False"),
    ("read_integer", "value > u64(INT64_MAX)", "False"),
    ("skip_symbol", "buf[after - 1] != QUOTE", "False"),
    ("read_fields", "seen >> fills & 1", "False"),
    ("read_maker", "ASK if is_true else BID", "BID if is_true else ASK"),
    ("read_payload", "fact & NEEDED[shape] != NEEDED[shape]", "False"),
    ("finish", "words[F_FLAGS] and words[F_QTY] == 0", "False"),
    ("scale_time", "time > INT64_MAX // unit_ns", "False"),
    ("kind_of", "route_kind == layout.KIND_DEPTH", "False"),
    ("skip_value", "depth == MAX_DEPTH", "False"),
    ("skip_string", "at >= end or ", ""),
    ("scan_usual", "skip_space(buf, at + 1, end) != end", "False"),
    ("read_key", "escapes:", "False:"),
]


def answer_all(scanner: Scanner) -> None:
    """Every example, whole and cut short, before different bytes."""
    for data in EXAMPLES:
        for poison in (b"9", b'"],["1.5","2.5"]]}}', data[len(data) // 2 :] + b" "):
            same_answer(scanner, data, poison)
            same_answer(scanner, data[:-4], data[-4:] + b" ")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[0]}: {mutant[1].strip()}")
def test_mutants_are_caught(mutant: tuple[str, str, str]) -> None:
    with pytest.raises((AssertionError, IndexError, OverflowError)):
        answer_all(plain_scanner(mutant))


def test_numpy_words_wrap_as_compiled_ones_do() -> None:
    with np.errstate(over="ignore"):
        assert plain_rooms().add_digits(np.uint64(0x0807060504030201)) == 12345678
