# %% [markdown]
# # Can I have that day again?
#
# Exactly, to the last bit, if you kept what the exchange said. A recording is a text file: one line per
# message, with the time it came. Replay drives it through the kernels that ran live, without sockets and
# without a clock.

# %%
import inspect
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tape
from IPython.display import Code

import ringbook
from ringbook import analysis

plt.style.use("ringbook.mplstyle")

# %% [markdown]
# ## Record
#
# All there is to recording: write down each message as it comes, and one REST snapshot among them, so that
# there is a book for the changes to change. The little module [tape.py](tape.py) beside this notebook does
# it.

# %%
Code(inspect.getsource(tape.record), language="python")

# %% [markdown]
# A day of ten seconds will do. The engine of the demo follows the same exchange meanwhile; we keep its
# records to compare.

# %%
demo = ringbook.demo("day", symbols="BTCUSDT")
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "day.gz"
lines = await tape.record(demo.rest_url, "BTCUSDT", path, 10)
live = demo.bus.records(16_000)
assert demo.bus.book("BTCUSDT").health == "LIVE"
demo.stop()
size = path.stat().st_size
print(f"{lines:,} lines, {size / 1000:,.0f} kB packed; at this pace a day is {size * 8640 / 1e9:.1f} GB")

# %% [markdown]
# ## Replay
#
# On the command line it is one command. Twice, because the last column is the point: the *digest* is a
# SHA-256 of all records, every byte of them. Same recording, same records.

# %%
import subprocess
import sys

command = [sys.executable, "-m", "ringbook", "replay", path.name, "--venue", "binance-spot"]
said = [
    subprocess.run(command, cwd=folder.name, capture_output=True, text=True, check=True).stdout for _ in "ab"
]
print("$ ringbook", *command[3:])
print(said[0])
first, second = (text.splitlines()[0].split("digest ")[1] for text in said)
assert first == second
print("again, the same digest:", second)

# %% [markdown]
# In Python you get the records themselves, an array as `bus.records` gives it. Are they those of the engine
# that ran live? It had another connection and another process; only the venue's update ids are common. For
# every book with the same id, compare all twenty levels of both sides.

# %%
from ringbook.engine.layout import CAUSE_SEQUENCE_GAP, KIND_BOOK, KIND_STATUS, LIVE

records = tape.replayed(path, symbol="BTCUSDT", steps=("0.01", "0.00001"))
assert len(records) >= 1_000
books, theirs = (some[(some["kind"] == KIND_BOOK) & (some["health"] == LIVE)] for some in (records, live))
common, mine, other = np.intersect1d(books["last_update_id"], theirs["last_update_id"], return_indices=True)
assert len(common) >= 50
for field in ("price", "qty", "count"):
    assert np.array_equal(books[field][mine], theirs[field][other]), field
print(f"{len(records):,} records; {len(common):,} books with the same id as live, all of them equal")

# %% [markdown]
# ## Any moment of it
#
# Each `BOOK` record holds the whole visible top. So the book at a time *t* is not computed again: it is the
# newest record received by then.

# %%
halfway = int(books["recv_ns"][len(books) // 2]) + 1_000_000
book = analysis.book_at(records, halfway, table=records.symbol_rows)
assert book.health == "LIVE"
book

# %% [markdown]
# Ask for three hundred moments and you have a film. Shade says how much rested at each price.

# %%
span_ns = int(books["recv_ns"][-1] - books["recv_ns"][0])
times = books["recv_ns"][0] + np.linspace(0, span_ns, 300).astype(np.int64)  # a float cannot hold today's ns
rows = analysis.rows_at(records, times, table=records.symbol_rows)
assert (rows >= 0).all()  # negative where the book was not known
held = records[rows]
scale = 10.0 ** records.symbol_rows["price_digits"][0]
low, high = np.percentile(held["price"][:, :, :12] / scale, (2, 98))
grid, edges = np.zeros((80, len(times))), np.linspace(low, high, 81)
for column, one in enumerate(held):
    grid[:, column] = np.histogram(one["price"] / scale, edges, weights=one["qty"].astype(float))[0]

# %%
extent = (0, span_ns / 1e9, low, high)
plt.imshow(np.log1p(grid), origin="lower", aspect="auto", extent=extent, cmap="Blues")
seconds = (times - times[0]) / 1e9
for side, colour in ((0, "C2"), (1, "C1")):
    plt.step(seconds, held["price"][:, side, 0] / scale, where="post", color=colour, lw=1)
plt.ylim(low, high)
plt.grid(False)
plt.xlabel("seconds")
_ = plt.title("The top twenty levels of both sides through the day; lines are best bid and ask")

# %% [markdown]
# ## A real midnight
#
# Where the project's recordings lie beside the checkout (`RINGBOOK_RECORDINGS`), we replay Binance's
# BTCUSDT over the end of 8 August 2024. Two files, one stream: if a single update were missing where they
# join, the book would say so.

# %%
names = [f"binance-spot/btcusdt_{day}.gz" for day in ("20240808", "20240809")]
real = [tape.recorded(name) for name in names]
if all(real):
    started = time.perf_counter()
    night = tape.replayed(*real, symbol="BTCUSDT", steps=("0.01", "0.00001"))
    took = time.perf_counter() - started
    span = (night["recv_ns"][-1] - night["recv_ns"][0]) / 1e9
    gaps = int(((night["kind"] == KIND_STATUS) & (night["cause"] == CAUSE_SEQUENCE_GAP)).sum())
    print(
        f"{len(night):,} records of {span:.0f} s in {took:.1f} s, {span / took:.0f} times real time; {gaps} gaps"
    )
else:
    night = records
    print("no recordings here: the picture shows our own little day")

# %%
quotes = analysis.microprice(night, table=night.symbol_rows)
quotes = quotes[~np.isnan(quotes["mid"])]
minutes = quotes["recv_ns"].astype("datetime64[ns]")
plt.plot(minutes, quotes["mid"], lw=0.8)
midnight = np.datetime64("2024-08-09T00:00:00", "ns")
if minutes[0] < midnight < minutes[-1]:
    plt.axvline(midnight, color="C1", ls="--")
    plt.text(midnight, quotes["mid"].max(), " midnight UTC", color="C1", va="top")
_ = plt.title(f"Mid of {len(quotes):,} books, {str(minutes[0])[:19]} to {str(minutes[-1])[11:19]}")

# %%
end = analysis.book_at(night, int(night["recv_ns"][-1]), table=night.symbol_rows)
assert end.health == "LIVE"
folder.cleanup()
end.top(3)

# %% [markdown]
# **Next:** [06](06-microstructure.ipynb) studies that night. Formats and options of replay stand in
# [docs/replay.md](../docs/replay.md).
