"""Oracle of bars, buckets, variances and the book at a time."""

import math
from fractions import Fraction
from itertools import pairwise

from .analysis import Record, is_trade, is_usable, runs

Bar = tuple[int, int, int, int, int, int, int, int, int, int, int]


def bar_of(records: list[Record], run: int, rows: list[int], span: tuple[int, int] | None) -> Bar:
    """first, last, run, start, end, open, high, low, close, qty, buy_qty, trades."""
    trades = [records[at] for at in rows]
    prices = [one.price for one in trades]
    start, end = span or (trades[0].recv_ns, trades[-1].recv_ns)
    bought = sum(one.qty for one in trades if one.side == 0)
    total = sum(one.qty for one in trades)
    ohlc = (prices[0], max(prices), min(prices), prices[-1])
    return (rows[0], rows[-1], run, start, end, *ohlc, total, bought, len(rows))


def bars(records: list[Record], symbol: int, unit: str, size: int, lost: bool) -> list[Bar]:
    """Whole bars of every run; runs are numbered from 1."""
    found = []
    for number, run in enumerate(runs(records, symbol, lost), 1):
        trades = [at for at in run if is_trade(records[at])]
        if unit == "time":
            cells = sorted({records[at].recv_ns // size for at in trades})
            for cell in cells:
                inside = [at for at in trades if records[at].recv_ns // size == cell]
                is_begun = records[run[0]].recv_ns <= cell * size
                if is_begun and records[run[-1]].recv_ns >= (cell + 1) * size:
                    found.append(bar_of(records, number, inside, (cell * size, (cell + 1) * size)))
            continue
        rows: list[int] = []
        for at in trades:
            rows.append(at)
            if (sum(records[i].qty for i in rows) if unit == "volume" else len(rows)) >= size:
                found.append(bar_of(records, number, rows, None))
                rows = []
    return found


def buckets(pieces: list[tuple[int, Fraction, int]], bucket_qty: int, window: int) -> list[tuple]:
    """first piece, last piece, run, bought, VPIN or None, of pieces (quantity, share bought, run)."""
    found = []
    for run in sorted({run for _, _, run in pieces}):
        spans, at = [], 0
        for number, (qty, share, of) in enumerate(pieces):
            if of == run and qty > 0:
                spans.append((number, at, at + qty, share))
                at += qty
        mine = []
        for k in range(at // bucket_qty):
            low, high = k * bucket_qty, (k + 1) * bucket_qty
            parts = [(n, min(b, high) - max(a, low), s) for n, a, b, s in spans if a < high and b > low]
            mine.append((parts[0][0], parts[-1][0], run, sum(part * share for _, part, share in parts)))
        for k, row in enumerate(mine):
            near = mine[k + 1 - window : k + 1] if k + 1 >= window else []
            total = sum(abs(2 * bought - bucket_qty) for *_, bought in near)
            found.append((*row, Fraction(total) / (window * bucket_qty) if near else None))
    return found


def bulk_shares(closes: list[int], bar_runs: list[int]) -> list[float | None]:
    """Share bought of each bar, None where it has no change or the deviation is not known."""
    changes = [
        closes[at] - closes[at - 1] if at and bar_runs[at] == bar_runs[at - 1] else None
        for at in range(len(closes))
    ]
    known = [change for change in changes if change is not None]
    if len(known) < 2:
        return [None] * len(closes)
    mean = Fraction(sum(known), len(known))
    deviation = math.sqrt(sum((change - mean) ** 2 for change in known) / (len(known) - 1))
    if deviation == 0:
        return [None if change is None else 0.5 for change in changes]
    return [None if c is None else 0.5 * (1 + math.erf(c / deviation / math.sqrt(2))) for c in changes]


def variances(
    records: list[Record], symbol: int, prices: dict[int, float], window_ns: int, sample_ns: int, lost: bool
) -> list[tuple[int, int, int, float]]:
    """start, index of the last price, returns that are not 0, variance."""
    found = []
    for run in runs(records, symbol, lost):
        seen = [(records[at].recv_ns, at) for at in run if at in prices]
        if not seen:
            continue
        for k in range(seen[0][0] // window_ns, seen[-1][0] // window_ns + 1):
            start, end = k * window_ns, (k + 1) * window_ns
            if not (seen[0][0] <= start and seen[-1][0] > end):
                continue
            grid = [
                [at for time, at in seen if time <= point][-1] for point in range(start, end + 1, sample_ns)
            ]
            changed = [prices[b] / prices[a] for a, b in pairwise(grid) if prices[a] != prices[b]]
            found.append((start, grid[-1], len(changed), sum(math.log(step) ** 2 for step in changed)))
    return found


def row_at(records: list[Record], symbol: int, kind: int, time_ns: int, lost: bool) -> int:
    """Index of the record that describes the book then; -1 not known, -2 not covered."""
    clock, known = -(2**63), []
    for at, one in enumerate(records):
        clock = max(clock, one.recv_ns)
        if clock > time_ns:
            break
        known.append(at)
    if not known or (len(known) == len(records) and clock < time_ns):
        return -2
    mine = [at for run in runs(records[: len(known)], symbol, lost)[-1:] for at in run]
    end = known[-1]
    if not mine or any(
        records[at].symbol == symbol and not is_usable(records[at]) for at in range(mine[-1], end + 1)
    ):
        return -1
    for at in range(mine[-1] + 1, end + 1):
        step = (records[at].seq - records[at - 1].seq) % 2**64
        if not 1 <= step < 2**63 or (lost and step != 1):
            return -1
    carrying = [at for at in mine if records[at].kind == kind]
    return carrying[-1] if carrying else -1
