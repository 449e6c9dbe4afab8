"""Hostile and damaged messages through a feed: counted by kind, explained, and nothing but the data lost."""

import re

import pytest

from ringbook.engine import layout

from .hostile import Rig
from .test_frame_sources import SNAPSHOT, TRADE, diff

GOOD = diff(11)
DATA = GOOD[GOOD.index(b'"data":') + 7 : -1]
QTY_AT_11 = b'["99.11","1.5"]'
DEEP = b"[" * 100_000


def swap(old: bytes, new: bytes, message: bytes = GOOD) -> bytes:
    assert old in message
    return message.replace(old, new, 1)


LONG = b"9" * 5000
MALFORMED = {
    "empty": b"",
    "a space": b" ",
    "brackets": DEEP * 10,
    "nested objects": b'{"a":' * 50_000,
    "deep value inside": swap(b'"E":11', b'"E":' + DEEP),
    "array": b"[1,2",
    "cut": GOOD[:-1],
    "cut in a string": GOOD[:30],
    "cut in a number": GOOD[: GOOD.index(b'"99.11') + 3],
    "cut in an escape": swap(b'"e":"depthUpdate"', b'"e":"depth\\u00')[:-20],
    "not UTF-8": b"\xff\xfe" + GOOD,
    "not UTF-8 inside": swap(b"BTCUSDT", b"BTC\xffSDT"),
    "zero byte": GOOD[:40] + b"\0" + GOOD[41:],
    "tail behind": GOOD + b"}",
    "two messages": GOOD + GOOD,
    "ids as text": swap(b'"U":11', b'"U":"11"'),
    "ids as list": swap(b'"u":11', b'"u":[11]'),
    "ids true": swap(b'"u":11', b'"u":true'),
    "ids null": swap(b'"u":11', b'"u":null'),
    "negative id": swap(b'"u":11', b'"u":-11'),
    "id of 20 digits": swap(b'"u":11', b'"u":18446744073709551616'),
    "id of 5000 digits": swap(b'"u":11', b'"u":' + LONG),
    "id with a fraction": swap(b'"u":11', b'"u":11.5'),
    "no id": swap(b'"u":11,', b""),
    "time of 19 digits": swap(b'"E":11', b'"E":9223372036854775807'),
    "levels a text": swap(b'"a":[', b'"a":"x","z":['),
    "level a number": swap(QTY_AT_11, b"5"),
    "level of one": swap(QTY_AT_11, b'["99.11"]'),
    "price a list": swap(b'"99.11"', b"[99]"),
    "price an object": swap(b'"99.11"', b'{"p":1}'),
    "price null": swap(b'"99.11"', b"null"),
    "price true": swap(b'"99.11"', b"true"),
    "price empty": swap(b'"99.11"', b'""'),
    "price a word": swap(b'"99.11"', b'"abc"'),
    "price hex": swap(b'"99.11"', b'"0x63"'),
    "price two dots": swap(b'"99.11"', b'"99.1.1"'),
    "price NaN": swap(b'"99.11"', b'"NaN"'),
    "price bare NaN": swap(b'"99.11"', b"NaN"),
    "price Infinity": swap(b'"99.11"', b'"Infinity"'),
    "bare Infinity": swap(b'"99.11"', b"-Infinity"),
    "another symbol inside": swap(b'"s":"BTCUSDT"', b'"s":"ETHUSDT"'),
    "a trade in a depth stream": swap(b"@trade", b"@depth@100ms", TRADE),
    "a diff in a trade stream": swap(b"btcusdt@depth@100ms", b"btcusdt@trade"),
    "trade without m": swap(b'"m":true', b'"n":true', TRADE),
    "trade with m of 1": swap(b'"m":true', b'"m":1', TRADE),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_is_counted_explained_and_changes_nothing(name: str) -> None:
    rig = Rig()
    books, seq = rig.books(), rig.pipe.next_seq
    rig.send(MALFORMED[name])
    assert rig.count("malformed") == 1, (rig.heard.heard, rig.health())
    assert len(rig.heard.reasons) == 1
    reason = rig.heard.reasons[0]
    assert re.match(r"(malformed|not market data): ", reason)
    assert 15 < len(reason) < 400, reason
    assert (rig.books(), rig.pipe.next_seq) == (books, seq)
    rig.send(diff(11))
    assert (rig.book_id(), rig.health()) == (11, ["LIVE", "LIVE"])
    rig.check()


def causes(rig: Rig) -> list[int]:
    """Causes of BTCUSDT's gaps."""
    records = rig.bus.records(1, rig.pipe.next_seq).view(layout.record_dtype(5)).reshape(-1)
    is_gap = (records["kind"] == layout.KIND_STATUS) & (records["health"] == layout.GAP)
    return records["cause"][is_gap].tolist()


@pytest.mark.parametrize("name", ["price NaN", "id of 20 digits", "ids null"])
def test_what_was_lost_in_a_bad_diff_shows_as_a_gap_that_says_so(name: str) -> None:
    rig = Rig()
    rig.send(MALFORMED[name])
    assert rig.health() == ["LIVE", "LIVE"]  # as of its id the book is right
    rig.send(diff(12))
    assert rig.health() == ["GAP", "LIVE"]
    assert causes(rig) == [layout.CAUSE_MALFORMED]
    rig.check()


def test_a_bad_frame_that_cost_nothing_explains_no_later_gap() -> None:
    rig = Rig()
    rig.send(MALFORMED["price NaN"])
    rig.send(diff(11))
    rig.send(diff(13))
    assert causes(rig) == [layout.CAUSE_SEQUENCE_GAP]


def test_a_bad_trade_explains_no_gap_of_the_book() -> None:
    rig = Rig()
    rig.send(MALFORMED["trade without m"])
    rig.send(diff(12))
    assert causes(rig) == [layout.CAUSE_SEQUENCE_GAP]


HARMLESS = {
    "an escaped key": swap(b'"U"', b'"\\u0055"'),
    "an escaped symbol": swap(b'"s":"BTCUSDT"', b'"s":"\\u0042TCUSDT"'),
    "an escaped stream": swap(b"btcusdt@", b"\\u0062tcusdt@"),
    "a key twice": swap(b'"u":11', b'"u":9,"u":11'),
    "a list twice": swap(b'"b":[', b'"b":[["1.00","1"]],"b":['),
    "unknown keys": swap(b'"E":11', b'"E":11,"zz":{"q":[1,{"b":[]}]},"y":"\\"}"'),
    "a fraction of zeros": swap(b'"1.5"', b'"1.500000000"'),
    "leading zeros": swap(b'"99.11"', b'"00099.11"'),
    "spaces": GOOD.replace(b",", b" ,\n\t").replace(b":", b" : ").replace(b" : 1", b": 1"),
    "bare numbers": swap(QTY_AT_11, b"[99.11,1.5]"),
    "a third field": swap(QTY_AT_11, b'["99.11","1.5",[]]'),
    "other order": b'{"data":' + DATA + b',"stream":"btcusdt@depth@100ms"}',
    "no envelope": DATA,
}


def plain_book() -> bytes:
    rig = Rig()
    rig.send(GOOD)
    return rig.bus.records(rig.pipe.next_seq - 1, rig.pipe.next_seq)[0, 16:].tobytes()


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_but_valid_messages_mean_the_same(name: str) -> None:
    rig = Rig()
    rig.send(HARMLESS[name])
    assert (rig.book_id(), rig.health()) == (11, ["LIVE", "LIVE"]), rig.heard.reasons
    assert rig.count("malformed") == 0
    assert rig.bus.records(rig.pipe.next_seq - 1, rig.pipe.next_seq)[0, 16:].tobytes() == plain_book()
    rig.check()


@pytest.mark.parametrize(
    "text",
    [b"1" + b"0" * 400, b"-1", b"92233720368547758.08", b"1e400", b"1E+999999999", b"1e-999999999",
     b"0." + b"0" * 4000 + b"1", b"18446744073709551617", b"-0.01"],
)  # fmt: skip
@pytest.mark.parametrize("bare", [False, True])
def test_numbers_no_scale_can_carry_cost_that_book_only(text: bytes, bare: bool) -> None:
    rig = Rig()
    rig.send(swap(b'"99.11"', text if bare else b'"' + text + b'"'))
    lost = rig.count("unrepresentable") + rig.count("malformed")
    assert lost == 1
    assert len(rig.heard.reasons) == 1 and len(rig.heard.reasons[0]) < 400
    assert rig.book_id() in (10, -1)
    assert rig.health()[1] == "LIVE"
    if rig.count("unrepresentable"):
        assert rig.health()[0] in ("GAP", "LIVE")
    rig.send(diff(12))
    assert rig.health()[0] == "GAP"
    rig.check()


def test_more_levels_than_the_rows_hold_is_a_gap_that_heals() -> None:
    rig = Rig()
    many = b",".join(b'["%d.00","1"]' % i for i in range(1, layout.ROWS_CAPACITY + 2))
    rig.send(swap(QTY_AT_11, many))
    assert rig.health() == ["GAP", "LIVE"]
    assert rig.pipe.space.states[0]["cause"] == layout.CAUSE_TOO_MANY_LEVELS
    assert rig.heard.reasons[0].startswith("too many levels: ")
    assert rig.feed.snapshot(0, SNAPSHOT.replace(b":10,", b":20,"), 0, 8, 8) == 0
    rig.send(diff(21))
    assert (rig.book_id(), rig.health()) == (21, ["LIVE", "LIVE"])
    rig.check()


@pytest.mark.parametrize(
    "message",
    [swap(b"btcusdt@", b"dogeusdt@"), DATA.replace(b"BTCUSDT", b"DOGEUSDT"), swap(b"btcusdt@", b"x" * 5000 + b"@"),
     swap(b"btcusdt@", b"\xc3\xa9@")],
)  # fmt: skip
def test_unknown_symbols_are_counted_apart(message: bytes) -> None:
    rig = Rig()
    books = rig.books()
    rig.send(message)
    assert (rig.count("unknown_frames"), rig.count("malformed"), rig.heard.heard) == (1, 0, [])
    assert rig.books() == books


@pytest.mark.parametrize("lie", [(0, 1), (0, 40), (1, 0), (60, 0)])
def test_a_message_of_another_length_than_it_says(lie: tuple[int, int]) -> None:
    """Cut at either end, whatever stands behind it in the buffer."""
    rig = Rig()
    rig.send(diff(99) * 3)  # leaves valid text behind what follows
    rig.send(GOOD[lie[0] : len(GOOD) - lie[1]])
    assert rig.count("malformed") == 2
    assert (rig.book_id(), rig.health()) == (10, ["LIVE", "LIVE"])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b'{"code":-1121,"msg":"Invalid symbol."}', "malformed"),
        (b'{"lastUpdateId":20,"bids":[["1.00","1"]]', "malformed"),
        (b'{"lastUpdateId":-20,"bids":[],"asks":[]}', "unrepresentable"),
        (b'{"lastUpdateId":99999999999999999999,"bids":[["1","1"]],"asks":[]}', "unrepresentable"),
        (b'{"lastUpdateId":20,"bids":[["NaN","1"]],"asks":[]}', "malformed"),
        (b'{"lastUpdateId":20,"bids":' + DEEP + b',"asks":[]}', "malformed"),
    ],
)  # fmt: skip
def test_a_bad_snapshot_leaves_the_symbol_waiting(body: bytes, why: str) -> None:
    rig = Rig()
    rig.send(diff(12))
    assert rig.feed.snapshot(0, body, 0, 9, 9) < 0
    assert rig.count(why) == 1
    assert rig.health() == ["GAP", "LIVE"]
    assert rig.pipe.space.states[0]["wants_snapshot"] == 1
    assert rig.feed.snapshot(0, SNAPSHOT.replace(b":10,", b":11,"), 0, 9, 9) == 0
    assert (rig.book_id(), rig.health()) == (12, ["LIVE", "LIVE"])
    rig.check()
