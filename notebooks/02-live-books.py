# %% [markdown]
# # How do I watch a book that is alive?
#
# You join a *bus*. It is a file in memory that one engine writes and any number of readers map. Joining
# costs the engine nothing, a slow reader cannot hold it up, and your notebook can be killed at any moment:
# nobody will notice.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import ringbook
from ringbook import analysis, live
from ringbook.engine.layout import GAP, KIND_TRADE

plt.style.use("ringbook.mplstyle")

# %% [markdown]
# `ringbook.demo()` starts the built-in exchange and an engine behind your notebook. With an engine of your
# own (`ringbook run --venue binance-spot --symbols BTCUSDT`) the next line would be `bus =
# ringbook.join()`, and everything below stays as it is.

# %%
demo = ringbook.demo("books")
bus = demo.bus
bus

# %% [markdown]
# ## One look
#
# A `Book` is a copy of one moment, with its health on it. At the end of a cell it draws its ladder: asks
# above, bids below, and how much stands between you and a price.

# %%
book = bus.book("BTCUSDT")
book

# %%
print(f"{book.health}, {book.age_ns / 1e6:.1f} ms since its last update")
print(f"mid {book.mid}, spread {book.spread:.2f}, imbalance {book.imbalance:+.2f}")
print("best bids", book.bids[:2].tolist())
print("exactly  ", book.exact(0)[:2])
assert book.health == "LIVE"

# %% [markdown]
# That was the top 20. The engine keeps every level the venue told it about; `full=True` copies them all.
# How much could you sell within a quarter of a percent of mid?

# %%
full = bus.book("BTCUSDT", full=True)
near = full.depth_within(25)
print(f"{len(full.bids):,} bids and {len(full.asks):,} asks")
print(
    f"within 25 bps: {near.qty[0]:.2f} BTC of bids, worth {near.value[0]:,.0f}; all of it? {near.is_complete[0]}"
)
for side, name in ((full.bids, "bids"), (full.asks, "asks")):
    away = (side[:, 0] / full.mid - 1) * 1e4
    plt.fill_between(away, np.cumsum(side[:, 1]), step="post", alpha=0.6, label=name)
plt.xlim(-40, 40)
plt.title("What rests, summed up from the touch")
plt.xlabel("distance from mid, bps")
plt.ylabel("BTC")
_ = plt.legend()

# %% [markdown]
# ## A film
#
# A view looks again by itself, four times a second, from a thread of its own; your cells go on. It is a
# widget, so it moves in Jupyter and not on a page that only shows notebooks. `live` has more: `depth`,
# `price`, `flow`, `heatmap`, `health`, and `dashboard`, which is all of them.

# %%
view = live.ladder(bus, "BTCUSDT", levels=8)
view

# %% [markdown]
# ![the dashboard, photographed in JupyterLab](../docs/live/dashboard-dark.png)
#
# ## What was
#
# The ring remembers the last 16,384 records. A `BOOK` record is the top of a book at one moment, so the
# recent past is an array away.

# %%
while len(bus.records(16_000)) < 12_000:
    time.sleep(0.2)
records, table = bus.records(16_000), bus.symbol_rows
assert len(records) >= 1_000
records

# %%
micro = analysis.microprice(records, "BTCUSDT", table)
micro = micro[~np.isnan(micro["mid"])]
since, scale = records["recv_ns"][0], 10.0 ** table["price_digits"][0]
trades = records[(records["kind"] == KIND_TRADE) & (records["symbol_id"] == 0)]
plt.step((micro["recv_ns"] - since) / 1e9, micro["mid"], where="post", label="mid")
for side, colour, name in ((0, "C2", "a buyer took"), (1, "C1", "a seller took")):
    some = trades[trades["side"] == side]
    plt.scatter((some["recv_ns"] - since) / 1e9, some["trade_price"] / scale, s=3, c=colour, label=name)
plt.title(f"BTCUSDT: mid of {len(micro):,} books, and {len(trades):,} trades")
plt.xlabel("seconds")
_ = plt.legend()

# %% [markdown]
# ## When it is not alive
#
# A book you cannot trust must say so. We ask the exchange to swallow one update. The engine sees the hole
# in the ids, marks the book `GAP`, fetches a snapshot and goes on. Every change of health is a record, with
# its cause.

# %%
demo.gap("BTCUSDT")
seen, until = [], time.monotonic() + 20
while time.monotonic() < until and ("GAP" not in seen or seen[-1] != "LIVE"):
    health = bus.book("BTCUSDT").health
    if not seen or health != seen[-1]:
        seen.append(health)
print(" → ".join(seen))
bus.statuses(4, "BTCUSDT")

# %%
healed, counters = bus.statuses(1, "BTCUSDT")[0], bus.counters()
print(f"blind for {healed['blind_ns'] / 1e6:.1f} ms; gaps {counters['gaps']}, resyncs {counters['resyncs']}")
assert bus.book("BTCUSDT", strict=True).health == "LIVE"

# %% [markdown]
# The other books never noticed: one symbol's gap is one symbol's business.

# %%
print({symbol: int((bus.statuses(100, symbol)["health"] == GAP).sum()) for symbol in bus.symbols}, "gaps")
view.stop()
demo.stop()

# %% [markdown]
# **Next:** [03](03-latency.ipynb) asks how long all this takes. The views are described in
# [docs/live.md](../docs/live.md), books and tables in [docs/notebook.md](../docs/notebook.md).
