"""Reading recordings: formats, order, errors that say where and what, owners of snapshots."""

import gzip
import io
import json

import pytest

from ringbook.io.recording import Line, RecordingError, read_recording, stream_of, survey

TRADE = b'{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":1}}'


def written(path, *lines, pack=None):
    data = b"\n".join(lines) + b"\n"
    path.write_bytes(pack(data) if pack else data)
    return path


@pytest.mark.parametrize("pack", [None, gzip.compress])
def test_lines_of_several_files_in_order(tmp_path, pack):
    first = written(tmp_path / "a", b"1 " + TRADE, b"", b"2 " + TRADE, pack=pack)
    second = written(tmp_path / "b", b"3 " + TRADE + b"\r", pack=pack)
    assert list(read_recording([first, second])) == [Line(n, TRADE) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "bad",
    [
        b"hello",
        b"x " + TRADE,
        b"-1 " + TRADE,
        b"12",
        b"99999999999999999999 {}",
        b"1 no json",
        b"\xff\xfe \x00",
    ],
)
def test_a_bad_line_is_named_by_file_and_number(tmp_path, bad):
    path = written(tmp_path / "bad", b"1 " + TRADE, bad)
    with pytest.raises(RecordingError, match=r"bad:2: found .* expected `<recv_ns> <JSON>`"):
        list(read_recording([path]))


def test_missing_and_damaged_files_are_told(tmp_path):
    with pytest.raises(RecordingError, match="cannot be opened"):
        list(read_recording([tmp_path / "none"]))
    whole = gzip.compress(b"1 " + TRADE + b"\n" + bytes(1000))
    (tmp_path / "cut.gz").write_bytes(whole[:-12])
    with pytest.raises(RecordingError, match="cut short or damaged"):
        list(read_recording([tmp_path / "cut.gz"]))


def test_session_transcripts(tmp_path):
    zstandard = pytest.importorskip("zstandard", reason="install ringbook[sessions]")
    depth = '{"lastUpdateId":7,"bids":[],"asks":[]}'
    entries = [
        {"t": "header", "format": 2},
        {"t": "http", "ts": 2.5, "url": "https://x/api/v3/depth?symbol=BTCUSDT&limit=5", "data": depth},
        {"t": "recv", "ts": 1.25, "conn": "a", "data": TRADE.decode()},
    ]
    packed = zstandard.ZstdCompressor().compress("\n".join(map(json.dumps, entries)).encode())
    (tmp_path / "s.jsonl.zst").write_bytes(packed)
    trade, snapshot = read_recording([tmp_path / "s.jsonl.zst"])
    assert (trade.recv_ns, trade.body, trade.is_snapshot) == (1_250_000_000, TRADE, False)
    assert snapshot.is_snapshot
    assert survey([tmp_path / "s.jsonl.zst"]).snapshot_owners == ["BTCUSDT"]
    (tmp_path / "t.jsonl").write_text('{"t": "recv", "ts": null}\n')
    with pytest.raises(RecordingError, match=r"t\.jsonl:1: not an entry"):
        list(read_recording([tmp_path / "t.jsonl"]))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (TRADE, "btcusdt@trade"),
        (b'{"e":"depthUpdate","E":1,"s":"ETHUSDT","U":1}', "ethusdt@depth"),
        (b'{"u":1,"s":"BNBUSDT","b":"1","B":"1","a":"2","A":"2"}', "bnbusdt@bookTicker"),
        (b'{"e":"kline","s":"BNBUSDT"}', ""),
        (b'{"result":null,"id":1}', ""),
        (b'{"stream":"x', ""),
    ],
)
def test_streams_are_named(body, name):
    assert stream_of(body)[0] == name


def diff(symbol, prices):
    event = {"e": "depthUpdate", "s": symbol, "U": 1, "u": 1, "b": [[p, "1"] for p in prices], "a": []}
    return (
        b"5 "
        + json.dumps({"stream": f"{symbol.lower()}@depth", "data": event}, separators=(",", ":")).encode()
    )


def snapshot(price, **more):
    return b"6 " + json.dumps({"lastUpdateId": 1, "bids": [[price, "1"]], "asks": [], **more}).encode()


def test_owner_of_a_snapshot_is_told_or_found_by_its_prices(tmp_path):
    diffs = diff("AAA", ["1.0", "1.1"]), diff("BBB", ["2.0", "2.1"])
    found = survey(
        [written(tmp_path / "two", *diffs, snapshot("2.1"), snapshot("1.1"), snapshot("2.1", symbol="AAA"))]
    )
    assert found.symbols == ["AAA", "BBB"]
    assert found.snapshot_owners == ["BBB", "AAA", "AAA"]
    assert found.streams == {"aaa@depth": 1, "bbb@depth": 1}
    assert survey([written(tmp_path / "one", diffs[0], snapshot("9.9"))]).snapshot_owners == ["AAA"]


def test_survey_of_an_empty_recording(tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(io.BytesIO().getvalue())
    assert survey([path]).symbols == []
