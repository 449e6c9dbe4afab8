"""The Binance scanner against orjson, Decimal and dicts: messages of every shape, broken ones, any bytes."""

import json

import orjson
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from ringbook.engine import layout

from . import strategies_decode as made
from .model import decode as model
from .scanning import INSTRUMENTS, NAMES, POISONS, SCANNER, check, check_snapshot

poisons = st.sampled_from(POISONS)
DIFF = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50,'
    b'"u":60,"b":[["61737.63000000","0.00000000"],["61730.17000000","1.25000000"]],"a":[["61837.64000000","1.54698000"]]}}'
)
FRAMES = {
    "diff": DIFF,
    "usdm diff": b'{"stream":"ethusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161256303,'
    b'"T":1723161256302,"s":"ETHUSDT","ps":"ETHUSDT","U":5123,"u":5124,"pu":5122,"b":[["200.00","10.229"]],"a":[],"st":1}}',
    "usdm image": b'{"stream":"ethusdt@depth20@100ms","data":{"e":"depthUpdate","E":1,"T":2,"s":"ETHUSDT",'
    b'"U":5123,"u":5124,"pu":5122,"b":[["200.00","10.229"]],"a":[["201.00","1.0"],["202","2"]]}}',
    "image": b'{"stream":"btcusdt@depth20@100ms","data":{"lastUpdateId":160,'
    b'"bids":[["0.01","10.0"]],"asks":[]}}',
    "trade": b'{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000",'
    b'"q":"0.02000000","T":1723161255342,"m":true,"M":true}',
    "old trade": b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":2,"p":"3.00",'
    b'"q":"4.0","b":88,"a":50,"T":5,"m":false,"M":true}}',
    "no trade": b'{"stream":"ethusdt@trade","data":{"e":"trade","E":1,"T":1,"s":"ETHUSDT","t":9,"p":"0",'
    b'"q":"0","X":"NA","m":true,"st":1}}',
    "aggregate": b'{"stream":"ethusdt@aggTrade","data":{"e":"aggTrade","E":1,"a":7,"s":"ETHUSDT",'
    b'"p":"84.10","q":"0.030","nq":"0.030","f":5,"l":6,"T":3,"m":false,"st":1}}',
    "ticker": b'{"u":400900217,"s":"BTCUSDT","b":"25.35","B":"31.21000000","a":"25.36","A":"40.66000000"}',
    "usdm ticker": b'{"stream":"ethusdt@bookTicker","data":{"e":"bookTicker","u":1167,"s":"ETHUSDT",'
    b'"ps":"ETHUSDT","b":"84551.00","B":"2.646","a":"84551.10","A":"5.302","T":1790526538939,"E":1790526538940,"st":1}}',
    "coinm ticker": b'{"u":1167,"e":"bookTicker","s":"BTCUSD_PERP","ps":"BTCUSD","b":"84551.0","B":"2",'
    b'"a":"84551.1","A":"5","T":1790526538939,"E":1790526538940}',
    "utf-8": '{"stream":"币安人生usdt@trade","data":{"e":"trade","E":1,"s":"币安人生USDT","t":2,"p":"0.0001",'
    '"q":"92233720368.5","T":1,"m":false}}'.encode(),
    "microseconds": b'{"e":"trade","E":1723161255343123,"s":"MICROUSDT","t":1,'
    b'"p":"0.0000000001","q":"1","m":true}',
}
SNAPSHOT = (
    b'{"lastUpdateId":1027024,"bids":[["4.00000000","431.00000000"]],"asks":[["4.02000000","12.00000000"]]}'
)


@given(made.spelled(made.messages()), poisons)
def test_messages_as_venues_print_them(data: bytes, poison: bytes) -> None:
    code = check(data, poison)
    event(layout.DECODE_NAMES[code])
    assert code in (layout.DECODED, layout.OVERFLOW)  # numbers are within the grid, not always within int64


@settings(max_examples=400)
@given(made.spelled(), poisons)
def test_messages_in_any_order_with_any_fields(data: bytes, poison: bytes) -> None:
    event(layout.DECODE_NAMES[check(data, poison)])


@settings(max_examples=400)
@given(made.mutated(), poisons)
def test_mutated_messages(data: bytes, poison: bytes) -> None:
    event(layout.DECODE_NAMES[check(data, poison)])


@given(st.binary(max_size=80) | st.text('{}[]",:\\ 019.-eE\n', max_size=60).map(str.encode), poisons)
@example(b"", b"9")
@example(b"\xff\xfe", b'"')
def test_any_bytes(data: bytes, poison: bytes) -> None:
    assert check(data, poison) < 0
    assert check_snapshot(data, poison=poison) < 0


def test_a_body_that_says_a_key_twice_is_not_taken() -> None:
    for body in (b'{"stream":null,"stream":null,"E":0}', b'{"s":"A","s":"B","lastUpdateId":1}'):
        assert check_snapshot(body) < 0


@settings(max_examples=200)
@given(made.disturbed(), poisons, st.booleans())
def test_snapshots(message: made.Message, poison: bytes, mutate: bool) -> None:
    data = made.Message(message.members, None, [], False).spell()
    code = check_snapshot(data[:-1] if mutate else data, poison=poison)
    event(layout.DECODE_NAMES[code])


@pytest.mark.parametrize("name", FRAMES)
def test_every_truncation_is_refused_whatever_follows(name: str) -> None:
    whole = FRAMES[name]
    for poison in POISONS:
        assert check(whole, poison) == layout.DECODED
        for cut in range(len(whole)):
            assert SCANNER.scan(whole[:cut], poison) == layout.MALFORMED
            assert SCANNER.scan(whole[:cut], whole[cut:] + b" ") == layout.MALFORMED
    for cut in range(len(SNAPSHOT)):
        assert SCANNER.scan_snapshot(SNAPSHOT[:cut], 0, SNAPSHOT[cut:] + b" ") == layout.MALFORMED


@pytest.mark.parametrize("name", FRAMES)
def test_every_byte_replaced(name: str) -> None:
    whole = FRAMES[name]
    for at in range(len(whole)):
        for byte in b'"\\0 ]}':
            check(whole[:at] + bytes([byte]) + whole[at + 1 :])


def test_an_escape_in_the_type_of_a_trade_tells_its_place() -> None:
    data = FRAMES["no trade"].replace(b'"NA"', b'"N\\u0041"')
    assert check(data) == layout.NEEDS_SLOW_PATH
    assert SCANNER.frame[0]["error_at"] - SCANNER.span[0] == data.index(b'"N\\u')


def test_frames_are_what_they_mean() -> None:
    found = {}
    for name, data in FRAMES.items():
        assert check(data) == layout.DECODED
        found[name] = SCANNER.answer()
    assert found["diff"][1] == ([(6173763, 0), (6173017, 125000000)], [(6183764, 154698000)])
    assert found["usdm diff"][0]["prev_id"] == 5122
    assert found["usdm image"][0]["kind"] == found["image"][0]["kind"] == layout.KIND_DEPTH
    assert found["trade"][0]["side"] == layout.ASK  # the buyer was the maker: a seller took
    assert found["trade"][0]["event_ns"] == 1723161255343_000_000
    assert found["microseconds"][0]["event_ns"] == 1723161255343123_000
    assert found["old trade"][0]["trade_id"] == 2
    assert found["no trade"][0]["kind"] == 0
    assert found["aggregate"][0]["flags"] == layout.FLAG_AGGREGATED
    assert found["ticker"][1] == ([(2535, 3121000000)], [(2536, 4066000000)])
    assert found["utf-8"][0]["trade_qty"] == 922337203685


CODES = {
    "decoded": (DIFF, layout.DECODED),
    "ack": (b'{"result":null,"id":1}', layout.NOT_MARKET_DATA),
    "error": (b'{"code":2,"msg":"Invalid request: unknown variant","id":null}', layout.NOT_MARKET_DATA),
    "error object": (b'{"error":{"code":2,"msg":"x"},"id":1}', layout.NOT_MARKET_DATA),
    "list": (b"[1,2]", layout.NOT_MARKET_DATA),
    "shutdown": (b'{"e":"serverShutdown","E":1770123456789}', layout.NOT_MARKET_DATA),
    "enveloped shutdown": (
        b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
        layout.NOT_MARKET_DATA,
    ),
    "kline": (b'{"stream":"btcusdt@trade","data":{"e":"kline","s":"BTCUSDT"}}', layout.NOT_MARKET_DATA),
    "escaped key": (DIFF.replace(b'"E"', b'"\\u0045"'), layout.NEEDS_SLOW_PATH),
    "lone surrogate": (DIFF.replace(b'"BTCUSDT"', b'"\\ud800"'), layout.NEEDS_SLOW_PATH),
    "escaped symbol": (DIFF.replace(b'"BTCUSDT"', b'"\\u0042TCUSDT"'), layout.NEEDS_SLOW_PATH),
    "exponent": (DIFF.replace(b'"1.25000000"', b'"125e-2"'), layout.NEEDS_SLOW_PATH),
    "key twice": (DIFF.replace(b'"u":60', b'"u":60,"u":61'), layout.NEEDS_SLOW_PATH),
    "too deep": (DIFF.replace(b'"u":60', b'"u":60,"x":' + b"[" * 65 + b"]" * 65), layout.NEEDS_SLOW_PATH),
    "broken ack": (b'{"result":null,"id":1', layout.MALFORMED),
    "trailing bytes": (DIFF + b"x", layout.MALFORMED),
    "two messages": (DIFF + DIFF, layout.MALFORMED),
    "no id": (DIFF.replace(b',"u":60', b""), layout.MALFORMED),
    "other symbol": (DIFF.replace(b'"BTCUSDT"', b'"ETHUSDT"'), layout.MALFORMED),
    "longer symbol": (DIFF.replace(b'"BTCUSDT"', b'"BTCUSDTX"'), layout.MALFORMED),
    "other kind": (DIFF.replace(b"depth@100ms", b"trade"), layout.MALFORMED),
    "text for id": (DIFF.replace(b'"u":60', b'"u":"60"'), layout.MALFORMED),
    "off grid": (DIFF.replace(b"61730.17000000", b"61730.17100000"), layout.OFF_GRID),
    "off grid far": (DIFF.replace(b"61730.17000000", b"61730.170000000001"), layout.OFF_GRID),
    "negative": (DIFF.replace(b"61730.17", b"-61730.17"), layout.OVERFLOW),
    "huge quantity": (DIFF.replace(b'"1.25000000"', b'"92233720368.54775808"'), layout.OVERFLOW),
    "huge id": (DIFF.replace(b'"u":60', b'"u":9223372036854775808'), layout.OVERFLOW),
    "huge time": (DIFF.replace(b"1723161255208", b"9223372036855"), layout.OVERFLOW),
    "saturated": (DIFF.replace(b'"1.25000000"', b'"92233720368.54775807"'), layout.DECODED),
    "unknown stream": (DIFF.replace(b"btcusdt@", b"dogeusdt@"), layout.UNKNOWN_SYMBOL),
    "unknown symbol": (FRAMES["trade"].replace(b"BTCUSDT", b"DOGEUSDT"), layout.UNKNOWN_SYMBOL),
    "unknown and broken": (DIFF.replace(b"btcusdt@", b"dogeusdt@")[:-1], layout.MALFORMED),
    "too many": (
        DIFF.replace(b'"b":[', b'"b":[' + b'["1.00000000","1.00000000"],' * layout.ROWS_CAPACITY),
        layout.TOO_MANY_LEVELS,
    ),
    "full": (
        DIFF.replace(b'"a":[', b'"a":[' + b'["1.00000000","1.00000000"],' * (layout.ROWS_CAPACITY - 1)),
        layout.DECODED,
    ),
}


@pytest.mark.parametrize("name", CODES)
def test_named_codes(name: str) -> None:
    data, code = CODES[name]
    assert check(data) == code
    if code in (layout.OFF_GRID, layout.OVERFLOW, layout.TOO_MANY_LEVELS):
        frame, _ = SCANNER.answer()
        assert (frame["symbol_id"], frame["kind"], frame["first_id"]) == (0, layout.KIND_BOOK, 50)


def test_every_code_is_reached() -> None:
    assert {code for _, code in CODES.values()} == set(layout.DECODE_NAMES)


@pytest.mark.parametrize("name", FRAMES)
def test_where_it_stopped(name: str) -> None:
    data = FRAMES[name]
    at = data.rindex(b":")
    assert SCANNER.scan(data[:at] + b";" + data[at + 1 :], b"9" * 64) == layout.MALFORMED
    begin = 64 * (65 // 64 + 1)
    assert begin <= SCANNER.frame[0]["error_at"] <= begin + len(data)


def test_snapshot_codes() -> None:
    assert check_snapshot(SNAPSHOT) == layout.DECODED
    assert SCANNER.answer()[0]["kind"] == layout.KIND_BOOK
    usdm = SNAPSHOT.replace(b'"bids"', b'"E":1723161256567,"T":1723161256561,"bids"')
    assert check_snapshot(usdm, 5) == layout.DECODED
    assert SCANNER.answer()[0]["event_ns"] == 1723161256567_000_000
    assert check_snapshot(b'{"code":-1121,"msg":"Invalid symbol."}') == layout.NOT_MARKET_DATA
    assert check_snapshot(SNAPSHOT.replace(b"1027024", b'"x"')) == layout.MALFORMED
    assert check_snapshot(b"<html>403</html>") == layout.MALFORMED
    assert check_snapshot(SNAPSHOT.replace(b"4.02", b"4.021")) == layout.OFF_GRID
    for stranger in (-1, len(INSTRUMENTS), 2**40):
        assert SCANNER.scan_snapshot(SNAPSHOT, stranger) == layout.UNKNOWN_SYMBOL


def test_invalid_utf_8_in_what_is_skipped_changes_no_value() -> None:
    data = DIFF.replace(b'"u":60', b'"u":60,"note":"\xff\xfe"')
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(data)
    assert check(data) == layout.DECODED  # the model reads it all the same and agrees on every value


def test_the_model_agrees_with_json_itself() -> None:
    for data in FRAMES.values():
        plain = json.loads(data)
        plain = plain.get("data", plain)
        found = model.expect(data, NAMES, INSTRUMENTS)
        assert found.codes == {layout.DECODED}
        last_id = next(plain[key] for key in ("u", "lastUpdateId", "t", "a") if key in plain)
        assert found.frame["last_id"] == last_id
