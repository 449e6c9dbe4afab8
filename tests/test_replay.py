"""Replay of made-up recordings: final books, health, formats and the command's exit codes."""

import gzip
import json
import random

import pytest

from ringbook.engine import layout
from ringbook.engine.instruments import fallback, from_steps
from ringbook.io.cli import main
from ringbook.io.recording import RecordingError, read_recording, survey
from ringbook.io.replay import Replay, replay
from ringbook.io.venues.base import get_venue

from .model.venue_book import follow
from .recorded import Market, expected, session, write

EMPTY = {"health": "INIT", "last_update_id": None, "bids": [], "asks": []}


def replayed(*paths, venue="binance-spot", symbols=None, instruments=None, **options):
    """Books and summary of recordings, without the command line."""
    engine = Replay(
        get_venue(venue), instruments or {}, fallback, symbols, survey(paths).snapshot_owners, **options
    )
    summary = replay(engine, read_recording(paths))
    return dict(engine.books()), summary


@pytest.mark.parametrize("venue", ["binance-spot", "binance-usdm"])
@pytest.mark.parametrize("named", [False, True])
def test_the_final_book_is_the_oracle_s(tmp_path, venue, named):
    futures = venue == "binance-usdm"
    path = write(tmp_path / "one", session(Market("BTCUSDT", 1, futures=futures), named=named))
    books, summary = replayed(path, venue=venue)
    assert books == {"BTCUSDT": expected(follow([path], futures)[0])}
    assert summary.all_live
    assert summary.snapshots == 1
    assert summary.frames == summary.lines - 1


def test_plain_packed_and_divided_files_are_one_stream(tmp_path):
    lines = session(Market("BTCUSDT", 2))
    whole = write(tmp_path / "whole", lines)
    packed = write(tmp_path / "packed.gz", lines)
    cut = (write(tmp_path / "a.gz", lines[:50]), write(tmp_path / "b", lines[50:], start=50))
    books, summary = replayed(whole)
    for paths in ((whole,), (packed,), cut):
        assert replayed(*paths) == (books, summary)
    assert len(summary.digest) == 64
    assert replayed(cut[1])[1].digest != summary.digest


@pytest.mark.parametrize("named", [False, True])
def test_two_symbols_keep_apart(tmp_path, named):
    """Replies without a symbol are given to the one whose prices they share."""
    sessions = [
        session(Market("BTCUSDT", 3), named=named),
        session(Market("ETHUSDT", 4, 90_000), named=named),
    ]
    paths = [write(tmp_path / f"{number}", lines) for number, lines in enumerate(sessions)]
    mixed, shuffled = [], random.Random(5)
    waiting = [list(reversed(lines)) for lines in sessions]
    while any(waiting):
        mixed.append(shuffled.choice([part for part in waiting if part]).pop())
    books, summary = replayed(write(tmp_path / "mixed", mixed))
    assert books == {
        name: expected(follow([path], False)[0])
        for name, path in zip(("BTCUSDT", "ETHUSDT"), paths, strict=True)
    }
    assert summary.symbols == {"BTCUSDT": "LIVE", "ETHUSDT": "LIVE"}
    only, _ = replayed(tmp_path / "mixed", symbols=[b"ETHUSDT"])
    assert only == {"ETHUSDT": books["ETHUSDT"]}


@pytest.mark.parametrize("first", ["reply", "trade and reply"])
def test_a_reply_may_come_before_the_first_diff(tmp_path, first):
    market = Market("BTCUSDT", 6)
    lines = ([market.trade()] if first != "reply" else []) + [market.reply()]
    lines += [market.diff() for _ in range(20)]
    path = write(tmp_path / "early", lines)
    assert replayed(path)[0] == {"BTCUSDT": expected(follow([path], False)[0])}


def test_a_reply_older_than_the_diffs_waits_for_another(tmp_path):
    market = Market("BTCUSDT", 7)
    lines = [market.diff(), market.reply()]
    market.diff()  # lost between the reply and what was recorded
    lines = lines[1:] + [market.diff() for _ in range(5)]
    old = write(tmp_path / "old", [*lines[1:], lines[0], market.diff()])
    books, summary = replayed(old)
    assert books["BTCUSDT"]["health"] == summary.symbols["BTCUSDT"] == "SYNCING"
    assert not summary.all_live
    lines = [*lines[1:], lines[0], market.diff(), market.reply(), market.diff()]
    new = write(tmp_path / "new", lines)
    assert replayed(new)[0]["BTCUSDT"]["health"] == "LIVE"


def test_a_gap_ends_live_only_with_another_reply(tmp_path):
    market = Market("BTCUSDT", 8)
    lines = session(market, 20)
    market.diff()
    lines += [market.diff() for _ in range(3)]
    books, summary = replayed(write(tmp_path / "gap", lines))
    assert summary.symbols == {"BTCUSDT": "GAP"}
    assert (books["BTCUSDT"]["health"], summary.counters["gaps"]) == ("GAP", 1)
    lines += [market.reply(), market.diff()]
    books, summary = replayed(write(tmp_path / "mended", lines))
    assert summary.all_live
    at_the_end = write(tmp_path / "end", [market.diff(), market.reply()])
    truth = follow([at_the_end], False)[0]
    tail = write(
        tmp_path / "tail",
        [*lines, *(body.split(b" ", 1)[1] for body in at_the_end.read_bytes().splitlines())],
    )
    assert replayed(tail)[0] == {"BTCUSDT": expected(truth)}


def test_a_finer_quantity_than_the_step_goes_on_exactly(tmp_path):
    """The made-up quantities have five decimals; told two, the symbol is rescaled and stays exact."""
    path = write(tmp_path / "fine", session(Market("BTCUSDT", 9)))
    books, summary = replayed(path, instruments={b"BTCUSDT": from_steps(b"BTCUSDT", "0.1", "0.01")})
    assert books == {"BTCUSDT": expected(follow([path], False)[0])}
    assert summary.counters["unrepresentable"] > 0


def test_symbols_in_any_script(tmp_path):
    path = write(tmp_path / "utf8", session(Market("币安人生USDT", 10)))
    assert replayed(path)[0] == {"币安人生USDT": expected(follow([path], False)[0])}


def test_lines_that_are_no_market_data_are_counted(tmp_path):
    lines = [
        b'{"result":null,"id":1}',
        b'{"e":"kline","s":"X"}',
        b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate"',
        b"[1]",
        b'{"s":"\\ud800"}',
        b'{"stream":"\\ud800@trade","data":{"e":"trade"}}',
    ]
    books, summary = replayed(write(tmp_path / "talk", [*lines, *session(Market("BTCUSDT", 11))]))
    assert books["BTCUSDT"]["health"] == "LIVE"
    assert summary.counters["acks"] == 1
    assert summary.counters["malformed"] >= 1
    assert summary.counters["unknown_frames"] >= 2


# ---------------------------------------------------------------- the command
def run(capsys, *arguments):
    """Exit code, stdout and stderr of `ringbook replay`."""
    code = main(["replay", "--venue", "binance-spot", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_command_writes_books_and_a_summary(tmp_path, capsys):
    path, out = write(tmp_path / "r.gz", session(Market("BTCUSDT", 12))), tmp_path / "books.json"
    code, text, _ = run(capsys, path, "--json", "--books", out)
    facts = json.loads(text)
    assert code == 0
    assert (facts["symbols"], facts["all_live"], facts["snapshots"]) == ({"BTCUSDT": "LIVE"}, True, 1)
    assert facts["frames"] == facts["lines"] - 1
    assert json.loads(out.read_bytes()) == {"BTCUSDT": expected(follow([path], False)[0])}
    code, text, _ = run(capsys, path)
    assert code == 0
    assert facts["digest"][:16] in text
    assert "BTCUSDT  LIVE" in text


def test_absent_symbols_are_shown_and_end_in_3(tmp_path, capsys):
    path, out = write(tmp_path / "r", session(Market("BTCUSDT", 13))), tmp_path / "books.json"
    code, text, _ = run(capsys, path, "--symbols", "BTCUSDT,NONEUSDT", "--books", out, "--json")
    assert code == 3
    assert json.loads(text)["symbols"] == {"BTCUSDT": "LIVE", "NONEUSDT": "INIT"}
    assert json.loads(out.read_bytes())["NONEUSDT"] == EMPTY


def test_gaps_and_empty_recordings_end_in_3(tmp_path, capsys):
    market = Market("BTCUSDT", 14)
    lines = session(market, 20)
    market.diff()
    code, text, _ = run(capsys, write(tmp_path / "gap", [*lines, market.diff()]))
    assert (code, "GAP" in text) == (3, True)
    assert run(capsys, write(tmp_path / "empty", []))[0] == 3


def test_instruments_from_a_file(tmp_path, capsys):
    path, steps = write(tmp_path / "r", session(Market("BTCUSDT", 15))), tmp_path / "steps.toml"
    steps.write_text('[BTCUSDT]\ntick = "0.01"\nstep = "0.001"\n')
    code, text, _ = run(capsys, path, "--instruments", steps, "--json")
    assert code == 0
    assert json.loads(text)["counters"]["unrepresentable"] > 0
    steps.write_text("[BTCUSDT]\ntick = 0.01\n")
    code, _, told = run(capsys, path, "--instruments", steps)
    assert code == 2
    assert "steps.toml" in told and "expected" in told


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: folder / "none", "cannot be opened"),
        (lambda folder: folder, "cannot be opened"),
        (
            lambda folder: _bytes(folder / "x", b"rubbish"),
            "x:1: found 'rubbish', expected `<recv_ns> <JSON>`",
        ),
        (lambda folder: _bytes(folder / "x", gzip.compress(bytes(2000))[:-9]), "x"),
    ],
)
def test_unreadable_recordings_are_explained(tmp_path, capsys, make, told):
    code, _, text = run(capsys, make(tmp_path))
    assert code == 1
    assert told in text


def _bytes(path, data):
    path.write_bytes(data)
    return path


def test_books_that_cannot_be_written_are_explained(tmp_path, capsys):
    path = write(tmp_path / "r", session(Market("BTCUSDT", 16), 10))
    code, _, told = run(capsys, path, "--books", tmp_path / "no" / "books.json")
    assert code == 1
    assert "--books" in told and "choose another path" in told


def test_a_snapshot_that_is_no_json_is_explained(tmp_path):
    with pytest.raises(RecordingError, match="not JSON"):
        survey([write(tmp_path / "bad", [b'{"lastUpdateId":1,'])])


def test_top_n_changes_records_and_not_books(tmp_path):
    path = write(tmp_path / "r", session(Market("BTCUSDT", 17)))
    books, summary = replayed(path)
    few_books, few = replayed(path, top_n=5)
    assert few_books == books
    assert few.digest != summary.digest
    assert layout.TOP_N_DEFAULT == 20
