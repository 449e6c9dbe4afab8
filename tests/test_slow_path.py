"""The general path on what JSON allows and Python's own types do not: it refuses, and never raises."""

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.engine.slow import Rejected, Reply, SlowPath

from .hostile import Rig
from .scanning import NAMES, TABLE

FRAME = np.zeros(1, layout.frame_dtype)
PATH = SlowPath(NAMES, TABLE, FRAME, np.zeros((layout.SIDES, layout.ROWS_CAPACITY), layout.level_dtype))
TRADE = b'{"e":"trade","s":"BTCUSDT","t":1,"p":%s,"q":"1","m":true,"x":%s}'
BEYOND = b"1e99999999999999999999"  # an exponent Decimal refuses
LONG = b"9" * 5000  # an integer Python refuses to read


@pytest.mark.parametrize("number", [BEYOND, LONG, b"-" + LONG])
def test_a_number_python_cannot_hold_matters_only_where_it_is_used(number: bytes) -> None:
    assert PATH.decode(TRADE % (b'"3.5"', number)) is None
    assert FRAME["trade_price"] == 350
    refused = PATH.decode(TRADE % (number, b"1"))
    assert isinstance(refused, Rejected) and refused.code == layout.MALFORMED
    assert SlowPath.pairs(TRADE % (b'"3.5"', number))


@pytest.mark.parametrize("data", [b'{"s":"\\ud800"}', b'{"stream":"\\udfff","data":{"u":1}}'])
def test_a_name_that_is_no_utf8_is_unknown(data: bytes) -> None:
    refused = PATH.decode(data)
    assert isinstance(refused, Rejected) and refused.code == layout.UNKNOWN_SYMBOL


@pytest.mark.parametrize("text", ["1_0", " 1", "1 ", "\u0661", "1_0.123"])
def test_what_python_alone_reads_as_a_number_asks_for_no_other_scale(text: str) -> None:
    refused = PATH.decode(TRADE % (f'"{text}"'.encode(), b"1"))
    assert isinstance(refused, Rejected) and refused.code == layout.MALFORMED


IMAGE = b'{"stream":"btcusdt@depth20@100ms","data":{"lastUpdateId":5,"bids":[["7","5"]],%s"asks":[]}}'


def test_an_image_is_read_from_its_own_keys() -> None:
    for other in (b'"a":[["1","1"]],', b'"b":[[]],', b'"u":9,', b'"pu":1,', b'"a":[["1.001",""]],', b""):
        assert PATH.decode(IMAGE % other) is None, other
        assert FRAME["rows"].tolist() == [[1, 0]] and FRAME["last_id"] == 5 and FRAME["prev_id"] == -1


def test_an_unknown_event_is_no_depth_whatever_else_it_has() -> None:
    assert isinstance(PATH.decode(IMAGE % b'"e":"kline",'), Reply)


def test_a_feed_survives_all_of_them() -> None:
    rig = Rig()
    for data in (
        b'{"s":"\\ud800"}', b'{"stream":"\\ud800","data":{}}', TRADE % (BEYOND, b"1"), TRADE % (LONG, b"1"),
        TRADE % (b'"1_0.123"', b"1"), b'{"id":%s}' % BEYOND,
    ):  # fmt: skip
        rig.send(data)
    assert rig.count("unknown_frames") == 2
    assert rig.count("malformed") == 3
    assert rig.bus.symbol_count == 2
    assert isinstance(PATH.decode(b'{"id":%s}' % BEYOND), Reply)
    rig.check()
