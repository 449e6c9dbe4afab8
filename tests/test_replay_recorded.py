"""Replay of real recordings: final books against the oracle, and the venue's own tickers as second witness."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.engine.instruments import fallback, from_steps
from ringbook.io.cli import main
from ringbook.io.recording import read_recording, survey
from ringbook.io.replay import Replay, Summary, replay
from ringbook.io.venues.base import get_venue

from .model.venue_book import follow
from .recorded import expected
from .recorded_sessions import recording, session_books

SPOT = ("binance-spot", "binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz")
USDM = ("binance-usdm", "binance-usdm/ethusdt_20240808.gz")
CATALOGUE = {  # last id, bids, asks, diffs applied and dropped; bookTickers at the id of a diff, at least
    SPOT: ("BTCUSDT", 50093696318, 1971, 2962, 6493, 2, 1059),
    USDM: ("ETHUSDT", 5123135545737, 3181, 3013, 6581, 5, 506),
}
SESSIONS = {
    "sessions/BINANCE.jsonl.zst": ("binance-spot", {"NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"}),
    "sessions/BINANCE_FUTURES.jsonl.zst": (
        "binance-usdm",
        {"SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"},
    ),
}


class Tapped(Replay):
    """Keeps id, kind, health and best levels of every record the engine published."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.taken: list[np.ndarray] = []

    def _hash_records(self) -> None:
        words = self.bus.records(self._hashed, self.pipeline.next_seq)
        records = words.reshape(-1).view(layout.record_dtype(int(self.bus.geo[layout.GEO_TOP_N])))
        best = [records[name][:, :, 0] for name in ("price", "qty")]
        columns = [records[name].astype(np.int64)[:, None] for name in ("kind", "health", "last_update_id")]
        self.taken.append(np.hstack([*columns, *best]))
        super()._hash_records()


@functools.cache
def oracle(case: tuple[str, ...]):
    """The oracle's final book and how many tickers agreed with it."""
    return follow([recording(name) for name in case[1:]], case[0] == "binance-usdm")


def run(case: tuple[str, ...], instruments=None, kind=Replay, **options) -> tuple[Replay, Summary]:
    paths = [recording(name) for name in case[1:]]
    owners = survey(paths[:1]).snapshot_owners
    engine = kind(get_venue(case[0]), instruments or {}, fallback, None, owners, **options)
    return engine, replay(engine, read_recording(paths))


@pytest.mark.parametrize("case", [SPOT, USDM], ids=lambda case: case[0])
def test_the_oracle_finds_what_the_catalogue_says(case):
    truth, agreed = oracle(case)
    bids, asks = truth.levels()
    found = (truth.last, len(bids), len(asks), truth.applied, truth.dropped, agreed)
    assert found[:-1] == CATALOGUE[case][1:-1]
    assert agreed >= CATALOGUE[case][-1]


@pytest.mark.parametrize("case", [SPOT, USDM], ids=lambda case: case[0])
def test_books_equal_the_oracle_and_the_venue_s_tickers(case):
    """Level by level; and wherever a ticker's id is that of a diff, best prices and sizes agree."""
    symbol, witnesses = CATALOGUE[case][0], oracle(case)[1]
    engine, summary = run(case, kind=Tapped, publish_all=True)
    assert dict(engine.books()) == {symbol: expected(oracle(case)[0])}
    assert summary.all_live
    assert summary.counters.get("gaps", 0) == 0
    taken = np.concatenate(engine.taken)
    assert len(taken) == summary.records
    of_kind = taken[:, 0] == layout.KIND_BOOK, taken[:, 0] == layout.KIND_TICKER
    live = of_kind[0] & (taken[:, 1] == layout.LIVE)
    books, tickers = (
        {int(row[2]): row[3:].tolist() for row in taken[chosen]} for chosen in (live, of_kind[1])
    )
    common = books.keys() & tickers.keys() & oracle(case)[0].tops.keys()
    assert len(common) == witnesses
    assert [update_id for update_id in common if books[update_id] != tickers[update_id]] == []


def test_two_replays_give_the_same_records_to_the_bit():
    digests = {run(USDM)[1].digest for _ in range(2)}
    assert len(digests) == 1


def test_a_recording_without_a_snapshot_is_never_live():
    engine, summary = run((SPOT[0], SPOT[2]), kind=Tapped, publish_all=True)
    assert summary.symbols == {"BTCUSDT": "SYNCING"}
    assert not (np.concatenate(engine.taken)[:, 1] == layout.LIVE).any()


def test_a_step_coarser_than_the_data_is_rescaled_and_exact():
    """Recorded quantities such as 25.42618900 are finer than the step of 0.00001."""
    told = {b"BTCUSDT": from_steps(b"BTCUSDT", "0.01", "0.00001")}
    engine, summary = run(SPOT, told)
    assert engine.feed.known[engine.feed.ids[b"BTCUSDT"]].qty_digits > 5
    assert dict(engine.books()) == {"BTCUSDT": expected(oracle(SPOT)[0])}
    assert summary.counters["unrepresentable"] >= 1
    assert summary.all_live


@pytest.mark.parametrize("name", SESSIONS)
def test_session_transcripts(name, tmp_path, capsys):
    """Every symbol syncs on its own reply, through the command."""
    venue, symbols = SESSIONS[name]
    path, out = recording(name), tmp_path / "books.json"
    truth = session_books(path, venue == "binance-usdm")
    code = main(["replay", str(path), "--venue", venue, "--json", "--books", str(out)])
    facts = json.loads(capsys.readouterr().out)
    assert set(truth) == symbols
    assert facts["symbols"] == dict.fromkeys(sorted(symbols), "LIVE")
    assert json.loads(out.read_bytes()) == {symbol: expected(book) for symbol, book in truth.items()}
    assert code == 0


def test_the_command_on_the_recorded_spot_files(tmp_path, capsys):
    paths = [str(recording(name)) for name in SPOT[1:]]
    out, steps = tmp_path / "books.json", Path(tmp_path / "steps.toml")
    steps.write_text('[BTCUSDT]\ntick = "0.01"\nstep = "0.00001"\n')
    code = main(["replay", *paths, "--venue", SPOT[0], "--instruments", str(steps), "--books", str(out)])
    assert (code, "BTCUSDT  LIVE" in capsys.readouterr().out) == (0, True)
    assert json.loads(out.read_bytes()) == {"BTCUSDT": expected(oracle(SPOT)[0])}
    code = main(["replay", paths[1], "--venue", SPOT[0], "--books", str(out)])
    assert code == 3
    assert json.loads(out.read_bytes())["BTCUSDT"]["health"] == "SYNCING"
