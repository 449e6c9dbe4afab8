# %% [markdown]
# # What happens to one frame?
#
# An exchange talks in *frames*: little packets of text on a websocket. ringbook turns each into a *record*
# that any process can read. We take one frame off the wire by hand and walk with it: **bytes → rows → book
# → record**. At the end we meet the engine, which did the same behind our backs.

# %%
import json
import re
import socket
import time
import urllib.request
from decimal import Decimal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

plt.style.use("ringbook.mplstyle")

# %% [markdown]
# The parts we take in hand below. Kernels are compiled once and kept on disk; `jit.warm()` loads them.

# %%
import ringbook
from ringbook.engine import jit, layout
from ringbook.engine.instruments import from_steps
from ringbook.engine.kernels import binance
from ringbook.engine.kernels.frames import FRAME_MESSAGE, FRAME_MORE, next_frame
from ringbook.engine.pipeline import ingest_room
from ringbook.io.recording import Line
from ringbook.io.replay import Replay
from ringbook.io.venues.base import get_venue

ingest_room("binance")
_ = jit.warm()

# %% [markdown]
# First somebody to talk to. `ringbook.demo()` starts the built-in exchange, which speaks Binance's protocol
# on loopback, and an engine that follows it. Its market is simulated; its bytes are real.

# %%
demo = ringbook.demo("journey", symbols="BTCUSDT")
demo

# %% [markdown]
# ## Bytes
#
# A websocket begins as HTTP. We say hello with a plain socket, listen, and ask for a snapshot of the book
# while we do: we shall need it.

# %%
hello = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nHost: demo\r\n"
hello += "Sec-WebSocket-Key: b25lIGZyYW1lJ3Mgd2F5IQ==\r\n"
host, port = demo.rest_url.removeprefix("http://").split(":")
with socket.create_connection((host, int(port)), timeout=10) as plug:
    plug.sendall(f"GET /stream?streams=btcusdt@depth@100ms HTTP/1.1\r\n{hello}\r\n".encode())
    heard = plug.recv(4096)
    snapshot = urllib.request.urlopen(f"{demo.rest_url}/api/v3/depth?symbol=BTCUSDT&limit=5000").read()
    while len(heard) < 80_000:
        heard += plug.recv(65_536)
answer, _, wire = heard.partition(b"\r\n\r\n")
print(answer.decode().splitlines()[0])
print(f"{len(wire):,} bytes of frames, {len(snapshot):,} bytes of snapshot")

# %% [markdown]
# The first bytes of a frame are not text: `81` says "one whole text message", the next says how long. A
# length of `7e` (126) means that two more bytes hold the real one. The kernel `next_frame` knows these
# rules.

# %%
buf, end = np.frombuffer(wire + bytes(64), np.uint8), len(wire)
messages, at, status = [], 0, FRAME_MESSAGE
while status != FRAME_MORE:
    status, start, length, _ = next_frame(buf, at, end, 1 << 20)
    if status == FRAME_MESSAGE:
        messages.append(bytes(buf[start : start + length]))
    at = start + length
print("first bytes:", wire[:4].hex(" "), "= a text message of", len(messages[0]), "bytes")
print(len(messages), "whole frames; the last was still on its way")

# %% [markdown]
# Our traveller begins after the snapshot: `U`, the first update in it, is larger than the snapshot's
# `lastUpdateId`. And it changes something near the touch, at one of the best five levels, where everybody
# looks.

# %%
known = json.loads(snapshot)
fifth = [Decimal(known[side][4][0]) for side in ("bids", "asks")]


def is_near(event):
    """Whether a diff touches the best five levels of the snapshot."""
    bids, asks = ([Decimal(price) for price, _ in event[side]] for side in "ba")
    return max(bids, default=0) >= fifth[0] or min(asks, default=10**9) <= fifth[1]


events = [json.loads(message)["data"] for message in messages]
number = next(n for n, e in enumerate(events) if e["U"] > known["lastUpdateId"] + 1 and is_near(e))
traveller = messages[number]
print(traveller[:300].decode(), "…")

# %% [markdown]
# How much of that is news? Colour every byte by what it means.

# %%
meaning = np.zeros(len(traveller), int)  # everything is packing until we know better
for kind, pattern in ((1, rb'"[EUu]":(\d+)'), (2, rb'\["([\d.]+)"'), (3, rb'","([\d.]+)"\]')):
    for found in re.finditer(pattern, traveller):
        meaning[slice(*found.span(1))] = kind
shares = np.bincount(meaning, minlength=4) / len(meaning)

# %%
colours = ["#d9d9d9", "#8d6a9f", "#1f6f8b", "#c8553d"]
names = ("packing", "ids and time", "prices", "quantities")
picture = np.full(-(-len(meaning) // 96) * 96, np.nan)
picture[: len(meaning)] = meaning
plt.imshow(picture.reshape(-1, 96), ListedColormap(colours), aspect="auto", interpolation="nearest")
plt.title(f"One frame, {len(traveller)} bytes, 96 to a line")
plt.grid(False)
patches = [Patch(color=c, label=f"{n} {s:.0%}") for c, n, s in zip(colours, names, shares, strict=True)]
_ = plt.legend(handles=patches, loc="center left", bbox_to_anchor=(1, 0.5))

# %% [markdown]
# ## Rows
#
# The scanner reads the JSON without making a single Python object. Out come a header and rows of two
# integers, price and quantity, at the symbol's own scale: 61600.14 at two decimals is 6160014. Nothing is
# rounded, ever.
#
# We drive the kernels through `Replay`, the part of ringbook that needs neither sockets nor a clock. It
# hears what the engine heard: the frames before ours, and the snapshot.

# %%
digits = [int(demo.bus.symbol_rows[0][name]) for name in ("price_digits", "qty_digits")]
scales = [10**n for n in digits]
instrument = from_steps(b"BTCUSDT", *(f"{1 / scale:.{n}f}" for scale, n in zip(scales, digits, strict=True)))
engine = Replay(get_venue("binance-spot"), {b"BTCUSDT": instrument}, None, None, ["BTCUSDT"])
for body in (messages[0], snapshot, *messages[1:number]):
    engine.line(Line(time.time_ns(), body))
dict(engine.books())["BTCUSDT"]["health"]

# %%
space = engine.pipeline.space
padded = np.frombuffer(traveller + bytes(64), np.uint8)
code = binance.scan(padded, 0, len(traveller), space.routes, space.instruments, space.frame, space.rows)
header = space.frame[0]
rows = [space.rows[side, : header["rows"][side]].copy() for side in (0, 1)]
print("code", code, "= decoded; updates", header["first_id"], "to", header["last_id"])
for side, name in enumerate(("bid", "ask")):
    print(f"{len(rows[side])} {name} rows, the first:", rows[side][:3].tolist())

# %% [markdown]
# Is that right? Let Python's own `json` and `Decimal` read the same bytes.

# %%
for side, name in enumerate("ba"):
    levels = events[number][name]
    by_hand = [(int(Decimal(p) * scales[0]), int(Decimal(q) * scales[1])) for p, q in levels]
    assert rows[side].tolist() == by_hand
print("equal, row by row")

# %% [markdown]
# ## Book
#
# A row says: *at this price there is now this much*. Zero means the level is gone. The book before and
# after our frame differs by exactly these rows.


# %%
def whole_book():
    """The full book as {(side, price): quantity}."""
    book = dict(engine.books())["BTCUSDT"]
    return {(name, float(p)): float(q) for name in ("bids", "asks") for p, q in book[name]}


before = whole_book()
first_seq = engine.pipeline.next_seq
engine.line(Line(time.time_ns(), traveller))
after = whole_book()
changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
print(f"{len(before)} levels before, {len(after)} after; {len(changed)} changed")

# %%
near = sorted(before.keys() | after.keys(), key=lambda key: key[1])
middle = next(n for n, key in enumerate(near) if key[0] == "asks")
near = near[middle - 16 : middle + 16]
own = {"bids": "#1f6f8b", "asks": "#c8553d"}
colours = ["#e0a030" if key in changed else own[key[0]] for key in near]
figure, pair = plt.subplots(1, 2, sharey=True)
for axis, book, title in zip(pair, (before, after), ("before", "after"), strict=True):
    axis.barh(range(len(near)), [book.get(key, 0) for key in near], color=colours)
    axis.set_yticks(range(0, len(near), 4), [f"{key[1]:.2f}" for key in near[::4]])
    axis.set_title(f"{title} the frame: changed levels are yellow")
    axis.set_xlabel("quantity")

# %% [markdown]
# ## Record
#
# If the visible top of the book changed, one record goes on the ring. It has a fixed size, so a reader
# knows where the next one lies; it is written in place and then *committed* by storing its `seq` last.

# %%
records = engine.bus.records(first_seq, engine.pipeline.next_seq).reshape(-1).view(layout.record_dtype())
ours = records[-1]
print(len(records), "record of", ours.nbytes, "bytes:", layout.KIND_NAMES[int(ours["kind"])])
for name in ("seq", "health", "first_update_id", "last_update_id", "count", "depth", "price"):
    offset = records.dtype.fields[name][1]
    print(f"{name:16} at byte {offset:3}: {ours[name].reshape(-1)[:2]}")

# %% [markdown]
# ## And the engine?
#
# It heard the same exchange on its own connection, in its own process. Look on its ring for the record with
# our update id: same prices, same quantities, all twenty levels of both sides. Only the times are its own.

# %%
theirs = demo.bus.records(16_000, kind="BOOK")
twin = theirs[theirs["last_update_id"] == ours["last_update_id"]][0]
for name in ("first_update_id", "count", "price", "qty", "depth"):
    assert np.array_equal(twin[name], ours[name]), name
print(f"record {twin['seq']} of the engine holds the same book as ours")
took = int(twin["publish_ns"] - twin["recv_ns"])
print(f"from its socket read to its record: {took / 1000:.1f} µs")

# %% [markdown]
# That was one frame. Here is what passed while we talked about it.

# %%
passed = demo.bus.records(16_000)
book = demo.bus.book("BTCUSDT")
assert len(passed) >= 1_000
assert book.health == "LIVE"
counters = demo.bus.counters()
print(", ".join(f"{counters[name]:,} {name}" for name in ("frames", "levels", "records", "gaps")))
book

# %%
demo.stop()

# %% [markdown]
# **Next:** [02](02-live-books.ipynb) watches such books live. The bytes of a record are drawn in
# [docs/records.md](../docs/records.md), the way of a frame in [ARCHITECTURE.md](../ARCHITECTURE.md).
