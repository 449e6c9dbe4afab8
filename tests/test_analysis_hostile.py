"""Analysis kernels on hostile words: plain twins on walled arrays never index outside; mistakes are caught."""

import importlib
import random
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook import analysis
from ringbook.engine import layout
from ringbook.engine.analysis import (
    bars,
    costs,
    fields,
    flow,
    quotes,
    rebuild,
    runs,
    sweeps,
    volatility,
    volume,
)

from .model import analysis as model
from .model.ring import wrap
from .plain import plain_room
from .record_rows import random_words

MODULES = (fields, runs, quotes, flow, costs, volume, volatility, sweeps, bars, rebuild)


class Walled:
    """An array that refuses every index outside it, negative ones too, and holds int64 by wrapping."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def _within(self, place) -> tuple:
        place = place if isinstance(place, tuple) else (place,)
        for index, size in zip(place, self.values.shape, strict=True):
            assert isinstance(index, slice) or 0 <= index < size, f"{place} lies outside {self.values.shape}"
        return place

    def __getitem__(self, place):
        return self.values[self._within(place)].item()

    def __setitem__(self, place, value) -> None:
        is_int = self.values.dtype == np.int64
        self.values[self._within(place)] = wrap(int(value)) if is_int else value


def plain(mutate: tuple[str, str, str] | None = None) -> SimpleNamespace:
    """Every kernel as plain Python; each file in a room of its own, for their columns share names."""
    found: dict = {}
    for module in MODULES:
        room = plain_room(fields, runs, module, mutate=mutate)
        space = room.mark_runs.__globals__
        space["wrapping_add"] = lambda left, right: wrap(left + right)
        space["wrapping_sub"] = lambda left, right: wrap(left - right)
        space["i64"], space["f64"] = int, float
        found |= {
            name: getattr(room, name) for name in vars(module) if hasattr(getattr(module, name), "py_func")
        }
    return SimpleNamespace(**found)


def run_all(room: SimpleNamespace, records: np.ndarray, size: int = 3) -> dict[str, np.ndarray]:
    """Every kernel once, on walls; what each wrote."""
    top_n, n = records.dtype["price"].shape[1], len(records)
    table = Walled(records.view(np.int64).reshape(n, layout.slot_bytes(top_n) // 8))
    made = {
        name: np.zeros((n, width))
        for name, width in (
            ("quotes", 4),
            ("flow", 2),
            ("costs", 4),
            *((f"bars{unit}", 1) for unit in range(3)),
        )
    }
    ints = {"throughs": 3, "sweeps": 5, "buckets": 3, "variance": 3}
    ints |= {f"bars_int{unit}": 12 for unit in range(3)}
    made |= {name: np.zeros((n, width), np.int64) for name, width in ints.items()}
    made |= {"runs": np.zeros(n, np.int64), "rows": np.zeros(n + 2, np.int64), "imbalance": np.zeros(n)}
    made |= {"vpin": np.zeros((n, 2)), "variance_float": np.zeros((n, 1)), "shares": np.zeros(n)}
    wall = {name: Walled(values) for name, values in made.items()}
    book, seen = layout.KIND_BOOK, wall["runs"]
    room.mark_runs(table, 0, 0, seen)
    room.quote_rows(table, seen, book, top_n, wall["quotes"])
    room.imbalance_rows(table, seen, book, top_n, top_n, wall["imbalance"])
    room.order_flow(table, seen, book, top_n, top_n, size, Walled(np.zeros(n, np.int64)), wall["flow"])
    room.cost_rows(table, seen, book, top_n, size, wall["costs"])
    counts = [room.find_throughs(table, seen, book, top_n, wall["throughs"])]
    counts.append(room.find_sweeps(table, seen, size, 1, wall["sweeps"]))
    for unit in range(3):
        counts.append(room.fill_bars(table, seen, unit, size, wall[f"bars_int{unit}"], wall[f"bars{unit}"]))
    closes = Walled(made["bars_int2"][: counts[-1], bars.CLOSE].astype(float))
    sizes, bar_runs = (Walled(made["bars_int2"][: counts[-1], at]) for at in (bars.QTY, bars.BAR_RUN))
    room.bulk_shares(closes, bar_runs, room.change_deviation(closes, bar_runs), wall["shares"])
    shares = Walled(np.ones(len(closes)))
    counts.append(room.fill_buckets(sizes, shares, bar_runs, size, 2, wall["buckets"], wall["vpin"]))
    prices = Walled(made["quotes"][:, quotes.MID].copy())
    counts.append(room.variance_rows(table, seen, prices, 2, size, wall["variance"], wall["variance_float"]))
    room.rows_at(table, seen, book, Walled(np.sort(np.r_[records["recv_ns"], -5, 1 << 62])), wall["rows"])
    assert all(fields.ROWS_FULL <= count <= n for count in counts)
    assert ((made["rows"] >= rebuild.NOT_REACHED) & (made["rows"] < max(n, 1))).all()
    return made


@given(st.sampled_from((1, 2, 5)).flatmap(random_words), st.sampled_from((1, 3, 1 << 30, 1 << 60)))
def test_no_index_leaves_its_array(records, size):
    run_all(PLAIN, records, size)


@given(st.sampled_from((1, 5, 50)).flatmap(random_words), st.sampled_from((1, 3, 1 << 30, 1 << 60)))
def test_compiled_kernels_live_through_random_bytes(records, size):
    """And leave the records alone."""
    before = records.tobytes()
    for call in (
        lambda: analysis.microprice(records, 0),
        lambda: analysis.imbalance(records, 1, 0),
        lambda: analysis.order_flow_imbalance(records, 1, size, 0, holes="lost"),
        lambda: analysis.trade_spreads(records, size, 0, holes="selected"),
        lambda: analysis.trade_throughs(records, 0, holes="selected"),
        lambda: analysis.sweeps(records, 1, size, 0, holes="selected"),
        lambda: analysis.bars(records, "time", size, 0, holes="selected"),
        lambda: analysis.volume_buckets(records, 1 << 60, 2, symbol=0, holes="selected"),
        lambda: analysis.realised_volatility(records, 1 << 60, 1 << 58, symbol=0, holes="selected"),
        lambda: analysis.rows_at(records, [0, size], 0, holes="selected"),
    ):
        call()
    assert records.tobytes() == before


def market(size: int = 300, top_n: int = 3) -> np.ndarray:
    """A seeded, plausible stream: books and trades around 1000, with breaks now and then."""
    dice, out = random.Random(7), np.zeros(size, layout.record_dtype(top_n))
    recv_ns = 100
    for seq, one in enumerate(out, 1):
        recv_ns += dice.choice((0, 1, 2, 5))
        one["seq"], one["recv_ns"], one["health"] = seq, recv_ns, layout.LIVE
        one["health"] = layout.GAP if dice.random() < 0.01 else layout.LIVE
        middle = 1000 + dice.randrange(-4, 5)
        if dice.random() < 0.5:
            one["kind"], one["side"] = layout.KIND_TRADE, dice.randrange(2)
            one["trade_price"], one["trade_qty"], one["txn_ns"] = middle, dice.randrange(1, 30), recv_ns // 4
            continue
        one["kind"], one["count"] = layout.KIND_BOOK, top_n
        one["flags"] = layout.FLAG_SNAPSHOT if dice.random() < 0.02 else 0
        for side, step in ((0, -1), (1, 1)):
            one["price"][side] = middle + step * np.arange(1, top_n + 1)
            one["qty"][side] = [dice.randrange(1, 90) for _ in range(top_n)]
    return out


PLAIN = plain()
MISTAKES = [  # kernel, text, mistake
    ("mark_runs", "is_broken = True\n            runs", "runs"),
    ("begins_run", "FLAG_SNAPSHOT | FLAG_FROM_BOARD", "FLAG_FROM_BOARD"),
    ("quote_rows", "bid_qty / (bid_qty", "ask_qty / (bid_qty"),
    ("imbalance_rows", "bids - asks", "asks - bids"),
    ("flow_between", "new <= old", "new < old"),
    ("order_flow", "<= recv_ns - window_ns)", "< recv_ns - window_ns)"),
    ("cost_rows", "+ horizon_ns < recv_ns", "+ horizon_ns <= recv_ns"),
    ("settle", "mid - out[row, MID_BEFORE]", "out[row, MID_BEFORE] - mid"),
    ("levels_passed", "other < price if", "other <= price if"),
    ("continues", "step >= 0", "step > 0"),
    ("fill_bars", "begun_ns <= cell * size", "begun_ns >= 0"),
    ("add_trade", "min(ints[at, LOW], price)", "max(ints[at, LOW], price)"),
    ("fill_buckets", "min(remaining, bucket_qty - filled)", "remaining"),
    ("variance_rows", "+ sample_ns - 1", ""),
    ("rows_at", "clock_ns > times_ns[at]", "clock_ns >= times_ns[at]"),
]


def test_plain_twins_answer_as_the_oracle_does():
    """So that what the mistakes are measured against is right."""
    records = market()
    found, rows = run_all(PLAIN, records), model.read(records)
    expected = model.order_flow(rows, 0, layout.KIND_BOOK, 3, 3, False)
    assert {at: value for at, value in enumerate(found["flow"][:, 0]) if value == value} == {
        at: float(event) for at, (event, _) in expected.items()
    }
    assert len(expected) > 100


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one[0])
def test_a_mistake_is_seen(mistake):
    """Each changes what comes out, or hits a wall."""
    right, records = run_all(PLAIN, market()), market()
    try:
        wrong = run_all(plain(mistake), records)
    except AssertionError:
        return
    assert any(
        not np.array_equal(right[name], wrong[name], equal_nan=right[name].dtype == float) for name in right
    )


def test_every_kernel_file_is_here():
    """A new file of the room is walled too."""
    here = {module.__name__ for module in MODULES}
    folder = importlib.import_module("ringbook.engine.analysis").__path__[0]
    files = importlib.import_module("pathlib").Path(folder).glob("[a-z]*.py")
    assert here == {f"ringbook.engine.analysis.{path.stem}" for path in files}
