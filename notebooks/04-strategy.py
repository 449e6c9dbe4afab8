# %% [markdown]
# # Can my strategy run on every record, in twenty lines?
#
# Yes: write a function of a record and a state, put `@numba.njit` on it, and hand it to the bus. It runs in
# a thread of its own without the interpreter lock, on every record, while you look at its state from the
# next cell.

# %%
import time

import matplotlib.pyplot as plt
import numba
import numpy as np

import ringbook
from ringbook.engine.layout import KIND_BOOK, LIVE

plt.style.use("ringbook.mplstyle")
demo = ringbook.demo("strategy", symbols="BTCUSDT")
bus = demo.bus

# %% [markdown]
# ## The idea
#
# If far more stands on the bids than on the asks, the price is said to lean up. So: hold one lot while the
# five best bids outweigh the five best asks two to one, be one lot short while it is the other way round,
# and pay the spread at each change like everybody else.
#
# ## The twenty lines
#
# The state comes first: what the strategy remembers, and a path so that we can draw it. All of it is
# integers, because prices on the bus are.

# %%
STATE = np.dtype([(name, "i8") for name in ("books", "position", "cash", "trades", "last")])
state = np.zeros(1, STATE), np.zeros((20_000, 3), np.int64)


# %%
@numba.njit
def lean(record, state):
    mine, path = state[0][0], state[1]
    if record.kind != KIND_BOOK or record.health != LIVE or record.count.min() < 5:
        return 0
    bids, asks = record.qty[0, :5].sum(), record.qty[1, :5].sum()
    wanted = 1 if bids > 2 * asks else -1 if asks > 2 * bids else mine.position
    mine.cash -= (wanted - mine.position) * record.price[int(wanted > mine.position), 0]
    mine.trades += wanted != mine.position
    mine.position = wanted
    worth = mine.cash + wanted * record.price[int(wanted < 0), 0]
    path[mine.books % len(path)] = record.recv_ns, wanted, worth
    mine.books, mine.last = mine.books + 1, record.seq
    return 0


# %% [markdown]
# ## Run it, and look
#
# `bus.run` compiles the handler, takes its place in the ring and returns. The state is yours to read at any
# time; nothing is copied and nobody is asked.

# %%
run = bus.run(lean, state, symbol="BTCUSDT")
price = 10.0 ** bus.symbol_rows["price_digits"][0]
for _ in range(5):
    time.sleep(1)
    mine = state[0][0]
    value = state[1][(mine["books"] - 1) % len(state[1]), 2] / price
    told = ", ".join(f"{name} {mine[name]}" for name in ("books", "trades", "position"))
    print(f"{told}, worth {value:+.2f}")
run

# %% [markdown]
# Five seconds at five times real time. Let it go on until it has seen four hundred books, then end it.

# %%
while state[0]["books"][0] < 400:
    time.sleep(0.1)
report = run.stop()
mine, path = state[0][0], state[1][: state[0]["books"][0]]
assert report.records >= 1_000
assert bus.book("BTCUSDT").health == "LIVE"
print(f"{report.records:,} records seen, {report.lost} lost, compiled in {report.compile_s:.1f} s")

# %%
figure, (upper, lower) = plt.subplots(2, 1, sharex=True, height_ratios=(3, 1))
seconds = (path[:, 0] - path[0, 0]) / 1e9
upper.plot(seconds, path[:, 2] / price)
upper.set_ylabel("worth if closed now")
upper.set_title(f"{mine['trades']} trades of one BTC on a simulated market: {path[-1, 2] / price:+,.2f} USDT")
lower.step(seconds, path[:, 1], where="post", color="C1")
lower.set_yticks((-1, 0, 1), ("short", "flat", "long"))
_ = lower.set_xlabel("seconds")

# %% [markdown]
# ## Is that the whole truth?
#
# First, the arithmetic. The same function without its compiler, `lean.py_func`, is plain Python. Give it
# the records that the ring still holds from where the handler began, and both must agree to the last digit.

# %%
held = bus.records(16_000, "BTCUSDT")
began = np.searchsorted(held["recv_ns"], path[0, 0])
again = np.zeros(1, STATE).view(np.recarray), np.zeros_like(state[1])
for record in held.view(np.recarray)[began:]:
    if record.seq <= mine["last"]:
        lean.py_func(record, again)
assert again[0]["cash"][0] == mine["cash"] and again[0]["trades"][0] == mine["trades"]
print(
    f"{again[0]['books'][0]:,} books again in plain Python: cash {again[0]['cash'][0] / price:,.2f}, the same"
)

# %% [markdown]
# Second, the money. What did the spread cost, and what did the idea earn before it?

# %%
books = held[(held["kind"] == KIND_BOOK) & (held["seq"] <= mine["last"]) & (held["recv_ns"] >= path[0, 0])]
middle = (books["price"][:, 0, 0] + books["price"][:, 1, 0]) / 2 / price
half = (books["price"][:, 1, 0] - books["price"][:, 0, 0]) / 2 / price
position = path[:, 1]
earned = float((position[:-1] * np.diff(middle)).sum())
paid = float((abs(np.diff(position, prepend=0)) * half).sum() + abs(position[-1]) * half[-1])
print(
    f"{earned:+,.2f} from the movement of mid, {-paid:+,.2f} for crossing the spread, {earned - paid:+,.2f} in all"
)
assert abs(earned - paid - path[-1, 2] / price) < 0.01

# %% [markdown]
# Do not take this to a market. It traded against a simulation, at once, in any size it liked, without fees,
# and for a few seconds. What is real is the machinery: the handler, its speed and its exactness.
#
# While you write a handler, `@numba.njit(boundscheck=True)` turns a wrong index into an error. What a
# handler may do, and what happens when it is too slow, stands in [docs/handlers.md](../docs/handlers.md).

# %%
demo.stop()

# %% [markdown]
# **Next:** [05](05-record-and-replay.ipynb) keeps a day, to try a strategy on the same market twice.
