"""The simulated market by itself: never crossed, frames replay to the truth, flow shaped as recorded."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringbook.io.exchange.feeds import DepthFeed
from ringbook.io.exchange.instruments import catalogue
from ringbook.io.exchange.ladder import ASK, BID
from ringbook.io.exchange.market import Market
from ringbook.io.exchange.truth import SEGMENT_CHANGES, History, UnknownBook
from ringbook.io.exchange.wire import Printer, decimal_text

SLOW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def market_of(venue, seed, *symbols):
    known = catalogue(venue)
    return Market([known[symbol] for symbol in symbols], seed, shared_ids=venue == "usdm")


def plain_top(levels):
    """Best-first lists of two price → quantity dicts."""
    bids, asks = levels
    return sorted(bids.items(), reverse=True), sorted(asks.items())


@SLOW
@given(
    seed=st.integers(0, 2**32), venue=st.sampled_from(["spot", "usdm"]),
    bursts=st.lists(st.integers(0, 300), min_size=1, max_size=12),
)  # fmt: skip
def test_changes_replay_to_the_book_and_the_truth_at_every_id(seed, venue, bursts):
    market = market_of(venue, seed, "ETHUSDT", "币安人生USDT")
    one = market.symbols["币安人生USDT"]
    plain = (dict(one.book.top(BID)), dict(one.book.top(ASK)))
    last_id, checks = one.history.last_id, []
    for orders in bursts:
        market.symbols["ETHUSDT"].burst(orders)  # takes ids of the same counter on USD-M
        for update_id, side, price, lots in one.burst(orders).changes:
            assert update_id == last_id + 1 if venue == "spot" else update_id > last_id
            last_id = update_id
            if lots:
                plain[side][price] = lots
            else:
                del plain[side][price]  # an orphan delete would be a KeyError here
            assert min(plain[ASK]) > max(plain[BID]) > 0
            if update_id % 37 == 0:
                checks.append((update_id, plain_top((plain[BID].copy(), plain[ASK].copy()))))
    assert plain_top(plain) == (one.book.top(BID), one.book.top(ASK))
    for update_id, top in checks:
        book = one.history.book_at(update_id)
        assert (book.top(BID), book.top(ASK)) == top
    tops = one.history.tops_at([(update_id, 5) for update_id, _ in checks])
    assert tops == [(bids[:5], asks[:5]) for _, (bids, asks) in checks]


@SLOW
@given(seed=st.integers(0, 2**32), venue=st.sampled_from(["spot", "usdm"]))
def test_diff_frames_chain_and_replay_to_the_truth_at_every_frame(seed, venue):
    market = market_of(venue, seed, "SOLUSDT")
    one = market.symbols["SOLUSDT"]
    feed = DepthFeed(one.history.last_id, 0)
    plain, last = (dict(one.book.top(BID)), dict(one.book.top(ASK))), one.history.last_id
    for orders in np.random.default_rng(seed).integers(0, 120, 15).tolist():
        feed.add(one.burst(orders).changes)
        diff = feed.take()
        if diff is None:
            assert one.history.last_id == last
            continue
        assert diff.prev_id == last
        assert diff.first_id == last + 1 if venue == "spot" else diff.first_id > last
        last = diff.last_id
        for side, levels in ((BID, diff.bids), (ASK, diff.asks)):
            assert len({price for price, _ in levels}) == len(levels)
            plain[side].update(levels)
        plain = tuple({price: lots for price, lots in side.items() if lots} for side in plain)
        book = one.history.book_at(diff.last_id)
        assert plain_top(plain) == (book.top(BID), book.top(ASK))
        assert [price for price, _ in diff.bids] == sorted((p for p, _ in diff.bids), reverse=True)


def test_trades_take_the_book_and_tickers_tell_the_touch():
    one = market_of("spot", 5, "BTCUSDT").symbols["BTCUSDT"]
    trades = tickers = 0
    for _ in range(200):
        step = one.burst(30)
        trades += len(step.trades)
        covered = [n for agg in step.agg_trades for n in range(agg.first_trade_id, agg.last_trade_id + 1)]
        assert covered == [trade.trade_id for trade in step.trades]
        assert sum(t.lots for t in step.trades) == sum(t.lots for t in step.agg_trades)
        for trade in step.trades:
            assert any(
                c.price == trade.price and c.side == (ASK, BID)[trade.buyer_is_maker] for c in step.changes
            )
        if step.ticker:
            tickers += 1
            truth = one.history.book_at(step.ticker.update_id)
            assert (truth.best(BID), truth.best(ASK)) == (step.ticker.bid, step.ticker.ask)
    assert trades > 300
    assert tickers > 100


def test_same_seed_same_market():
    def digest(seed):
        market = market_of("usdm", seed, "BTCUSDT", "ETHUSDT")
        return [
            (s, step.changes, step.trades) for _ in range(20) for s, step in market.step(0.5, True).items()
        ]

    assert digest(3) == digest(3)
    assert digest(3) != digest(4)


# Recorded figures: distance of a delta from the mid in ticks at these quantiles, share of deletes, median
# levels per frame (spot BTCUSDT; USD-M BTCUSDT, its delete share from ETHUSDT).
RECORDED = {
    "spot": ({0.5: 16_000, 0.9: 29_000, 0.99: 636_000}, 0.48, 22),
    "usdm": ({0.5: 1_100, 0.99: 568_000}, 0.135, 22),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_order_flow_is_as_recorded_within_a_fifth(venue, seed):
    quantiles, delete_share, median = RECORDED[venue]
    market = market_of(venue, seed, "BTCUSDT")
    one = market.symbols["BTCUSDT"]
    feed = DepthFeed(one.history.last_id, 0)
    distances, deletes, lengths = [], 0, []
    for _ in range(900):
        feed.add(market.step(1.0, True)["BTCUSDT"].changes)
        diff = feed.take()
        if diff is None:
            continue
        mid = (one.book.best(BID)[0] + one.book.best(ASK)[0]) / 2
        rows = [*diff.bids, *diff.asks]
        distances += [abs(price - mid) for price, _ in rows]
        deletes += sum(lots == 0 for _, lots in rows)
        lengths.append(len(rows))
        assert min(len(one.book.keys[BID]), len(one.book.keys[ASK])) >= 2_000
    for quantile, ticks in quantiles.items():
        assert np.quantile(distances, quantile) == pytest.approx(ticks, rel=0.2)
    assert deletes / len(distances) == pytest.approx(delete_share, rel=0.2)
    assert np.median(lengths) == pytest.approx(median, rel=0.2)
    assert max(lengths) > 400


@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_every_instrument_stays_alive_and_on_its_grid(venue):
    market = market_of(venue, 2, *catalogue(venue))
    for _ in range(60):
        market.step(1.0, True)
    for one in market.symbols.values():
        assert min(len(keys) for keys in one.book.keys) > 40, one.instrument.symbol
        printer = Printer(one.instrument, usdm=venue == "usdm")
        for ticks, lots in one.book.top(BID) + one.book.top(ASK):
            assert ticks > 0 < lots
            assert lots * one.instrument.qty_unit < 2**63
            assert len(printer.price(ticks).partition(".")[2]) == one.instrument.price_digits


def test_history_is_bounded_and_says_what_it_has_forgotten():
    one = market_of("spot", 1, "PEPEUSDT").symbols["PEPEUSDT"]
    history = History(one.book, 100, capacity=2 * SEGMENT_CHANGES)
    for update_id in range(101, 101 + 6 * SEGMENT_CHANGES):
        history.append(update_id, BID, 5, update_id)
    assert history.held <= 3 * SEGMENT_CHANGES
    assert history.book_at(history.first_id).qty[BID][-5] == history.first_id
    for update_id, reason in ((100, "forgotten"), (history.last_id + 1, "ahead")):
        with pytest.raises(UnknownBook) as unknown:
            history.book_at(update_id)
        assert unknown.value.reason == reason


@given(mantissa=st.integers(0, 2**64), digits=st.integers(0, 12))
def test_decimal_text_is_exact(mantissa, digits):
    text = decimal_text(mantissa, digits)
    assert int(text.replace(".", "")) == mantissa
    assert len(text.partition(".")[2]) == digits
