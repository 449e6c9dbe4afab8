"""Oracle of the analysis kernels: each measure straight from its definition, slowly, over lists of records."""

import math
from dataclasses import dataclass
from fractions import Fraction

from ringbook.engine import layout

Levels = list[tuple[int, int]]
KINDS_WITH_LEVELS = (layout.KIND_BOOK, layout.KIND_TICKER, layout.KIND_DEPTH)
NAN = math.nan


@dataclass
class Record:
    """The fields a measure looks at."""

    seq: int
    kind: int
    health: int
    side: int
    flags: int
    symbol: int
    recv_ns: int
    txn_ns: int
    missed: int
    bids: Levels
    asks: Levels
    price: int
    qty: int


def read(records) -> list[Record]:
    """Records of a structured array."""
    top_n, out = records.dtype["price"].shape[1], []
    for one in records:
        sides = []
        for side in range(2):
            prices, qtys = one["price"][side].tolist(), one["qty"][side].tolist()
            sides.append(list(zip(prices, qtys, strict=True))[: min(int(one["count"][side]), top_n)])
        names = ("seq", "kind", "health", "side", "flags", "symbol_id", "recv_ns", "txn_ns", "ids_missed")
        numbers = [int(one[name]) for name in names]
        out.append(Record(*numbers, *sides, int(one["trade_price"]), int(one["trade_qty"])))
    return out


def is_usable(one: Record) -> bool:
    """Whether a record of the symbol says that nothing is wrong."""
    is_good = one.kind != layout.KIND_STATUS and one.health == layout.LIVE and one.missed == 0
    return is_good and 0 < one.recv_ns < 2**62


def joins(records: list[Record], symbol: int, early: int, late: int, lost: bool) -> bool:
    """Whether nothing was lost between two usable records of a symbol that follow each other."""
    last = records[late]
    restarts = last.flags & (layout.FLAG_SNAPSHOT | layout.FLAG_FROM_BOARD)
    if (last.kind == layout.KIND_BOOK and restarts) or last.recv_ns < records[early].recv_ns:
        return False
    for at in range(early + 1, late + 1):
        step = (records[at].seq - records[at - 1].seq) % 2**64
        if not 1 <= step < 2**63 or (lost and step != 1):
            return False
        if records[at].symbol == symbol and not is_usable(records[at]):
            return False
    return True


def runs(records: list[Record], symbol: int, lost: bool) -> list[list[int]]:
    """Indexes of each run."""
    found: list[list[int]] = []
    for at, one in enumerate(records):
        if one.symbol != symbol or not is_usable(one):
            continue
        if found and joins(records, symbol, found[-1][-1], at, lost):
            found[-1].append(at)
        else:
            found.append([at])
    return found


def quote(one: Record, kind: int) -> tuple[Levels, Levels] | None:
    """Both sides, if the record has a quote."""
    if one.kind != kind or not one.bids or not one.asks:
        return None
    (bid, bid_qty), (ask, ask_qty) = one.bids[0], one.asks[0]
    return (one.bids, one.asks) if min(bid, bid_qty, ask, ask_qty) > 0 and bid < ask else None


def is_trade(one: Record) -> bool:
    return one.kind == layout.KIND_TRADE and one.side in (0, 1) and one.price > 0 and one.qty > 0


def mid(one: Record, kind: int) -> Fraction | None:
    both = quote(one, kind)
    return Fraction(both[0][0][0] + both[1][0][0], 2) if both else None


def quotes(records: list[Record], symbol: int, kind: int, depth: int) -> dict[int, tuple[float, ...]]:
    """index → mid, quoted, relative, micro, imbalance."""
    found = {}
    for at in (at for run in runs(records, symbol, False) for at in run):
        both = quote(records[at], kind)
        if both:
            (bid, bid_qty), (ask, ask_qty) = both[0][0], both[1][0]
            middle = Fraction(bid + ask, 2)
            micro = Fraction(bid * ask_qty + ask * bid_qty, bid_qty + ask_qty)
            bids, asks = (sum(max(qty, 0) for _, qty in side[:depth]) for side in both)
            numbers = (middle, ask - bid, (ask - bid) / middle, micro, Fraction(bids - asks, bids + asks))
            found[at] = tuple(float(x) for x in numbers)
    return found


def _flow(old: Levels, new: Levels, is_bid: bool) -> int:
    """One rank of one side in the paper's words; an empty rank is a quantity of 0 at the worst price."""
    worst = -math.inf if is_bid else math.inf
    (price, qty), (price_before, qty_before) = (side[0] if side else (worst, 0) for side in (new, old))
    if is_bid:
        return (qty if price >= price_before else 0) - (qty_before if price <= price_before else 0)
    return (qty if price <= price_before else 0) - (qty_before if price >= price_before else 0)


def order_flow(
    records: list[Record], symbol: int, kind: int, depth: int, window_ns: int, lost: bool
) -> dict[int, tuple[int, int | None]]:
    """index → event, sum over the window (None before the run has lasted one)."""
    found: dict[int, tuple[int, int | None]] = {}
    for run in runs(records, symbol, lost):
        chain: list[tuple[int, int]] = []  # index, event; the first has none
        for at in (at for at in run if records[at].kind == kind):
            new = quote(records[at], kind)
            if new is None:
                chain = []
                continue
            if not chain:
                chain = [(at, 0)]
                continue
            old = quote(records[chain[-1][0]], kind)
            event = sum(
                _flow(old[0][n : n + 1], new[0][n : n + 1], True)
                - _flow(old[1][n : n + 1], new[1][n : n + 1], False)
                for n in range(depth)
            )
            chain.append((at, event))
            begin = records[at].recv_ns - window_ns
            total = sum(event for other, event in chain[1:] if records[other].recv_ns > begin)
            found[at] = event, total if records[chain[0][0]].recv_ns <= begin else None
    return found


def _last_mid(records: list[Record], run: list[int], kind: int) -> Fraction | None:
    carrying = [at for at in run if records[at].kind == kind]
    return mid(records[carrying[-1]], kind) if carrying else None


def costs(
    records: list[Record], symbol: int, kind: int, horizon_ns: int, lost: bool
) -> dict[int, list[float]]:
    """index of a trade → effective, realised, impact, mid before."""
    found = {}
    for run in runs(records, symbol, lost):
        for place, at in enumerate(run):
            one = records[at]
            before = _last_mid(records, run[:place], kind)
            if not is_trade(one) or before is None:
                continue
            sign, end = 1 - 2 * one.side, one.recv_ns + horizon_ns
            later = _last_mid(records, [i for i in run if records[i].recv_ns <= end], kind)
            if records[run[-1]].recv_ns <= end or later is None:
                found[at] = [float(2 * sign * (one.price - before)), NAN, NAN, float(before)]
            else:
                parts = (
                    2 * sign * (one.price - before),
                    2 * sign * (one.price - later),
                    2 * sign * (later - before),
                )
                found[at] = [*map(float, parts), float(before)]
    return found


def throughs(records: list[Record], symbol: int, kind: int, lost: bool) -> list[tuple[int, int, int]]:
    """index of the trade, index of the quote, levels passed."""
    found = []
    for run in runs(records, symbol, lost):
        for place, at in enumerate(run):
            one, before = records[at], [i for i in run[:place] if records[i].kind == kind]
            both = quote(records[before[-1]], kind) if before else None
            if not is_trade(one) or both is None:
                continue
            asks = sum(price < one.price for price, _ in both[1])
            bids = sum(price > one.price for price, _ in both[0])
            passed = asks if one.side == 0 else bids
            if passed:
                found.append((at, before[-1], passed))
    return found


def sweeps(records: list[Record], symbol: int, least: int, gap_ns: int, lost: bool) -> list[tuple[int, ...]]:
    """first index, last index, trades, prices, quantity."""
    found = []
    for run in runs(records, symbol, lost):
        chains: list[list[int]] = []
        for at in (at for at in run if is_trade(records[at])):
            one, last = records[at], records[chains[-1][-1]] if chains else None
            times = [x.txn_ns if x.txn_ns > 0 else x.recv_ns for x in (one, last) if x]
            if (
                last
                and last.side == one.side
                and 0 <= times[0] - times[1] <= gap_ns
                and (one.price >= last.price if one.side == 0 else one.price <= last.price)
            ):
                chains[-1].append(at)
            else:
                chains.append([at])
        for chain in chains:
            prices = {records[at].price for at in chain}
            if len(prices) >= least:
                found.append(
                    (chain[0], chain[-1], len(chain), len(prices), sum(records[at].qty for at in chain))
                )
    return found
