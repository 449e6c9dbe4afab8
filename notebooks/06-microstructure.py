# %% [markdown]
# # What do eleven minutes of a real market tell?
#
# Four classic questions, asked of Binance's BTCUSDT around midnight of 8 August 2024: how wide is the
# spread, does order flow move the price, do traders come in waves, and how rough is the path? The findings
# below each picture are written by the cell above them, number by number; on other data they would read
# differently.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import tape
from IPython.display import Markdown, display

import ringbook
from ringbook import analysis
from ringbook.engine.layout import KIND_TRADE

# %% [markdown]
# The recordings lie beside the checkout, or where `RINGBOOK_RECORDINGS` points. Without them the notebook
# records the built-in exchange for a while and studies that: the pictures remain, the market is then a
# simulated one.

# %%
plt.style.use("ringbook.mplstyle")
days = [tape.recorded(f"binance-spot/btcusdt_{day}.gz") for day in ("20240808", "20240809")]
if not all(days):
    demo, folder = ringbook.demo("study", symbols="BTCUSDT"), TemporaryDirectory()
    days = [Path(folder.name) / "simulated.gz"]
    lines = await tape.record(demo.rest_url, "BTCUSDT", days[0], 25)
    demo.stop()
records = tape.replayed(*days, symbol="BTCUSDT", steps=("0.01", "0.00001"))
table, begin_ns, end_ns = records.symbol_rows, int(records["recv_ns"][0]), int(records["recv_ns"][-1])
assert len(records) >= 1_000
assert analysis.book_at(records, end_ns, table=table).health == "LIVE"


# %%
def say(*sentences):
    """A paragraph of findings."""
    return Markdown(" ".join(sentences))


tick, lot = (float(10.0 ** -int(table[name][0])) for name in ("price_digits", "qty_digits"))
quotes = analysis.microprice(records, table=table, kind="TICKER")
quotes = quotes[~np.isnan(quotes["mid"])]
moved = (quotes["mid"][-1] / quotes["mid"][0] - 1) * 1e4

# %%
trades = records[records["kind"] == KIND_TRADE]
sizes = trades["trade_qty"] * lot
bought, volume = sizes[trades["side"] == 0].sum(), sizes.sum()
names = " and ".join(day.stem for day in days)
say(
    f"**{len(records):,} records** over {(end_ns - begin_ns) / 1e9:.0f} s, from {names}.",
    f"{len(trades):,} trades of {volume:,.1f} BTC, {bought / volume:.0%} of it taken by buyers;",
    f"{len(quotes):,} quotes, whose mid moved {moved:+.1f} bps.",
)

# %% [markdown]
# ## How wide is the spread?
#
# Counting quotes would give a busy millisecond the weight of a quiet minute. So each quote counts for as
# long as it stood. We use the venue's own best bid and offer (`TICKER`): it speaks at every change, the
# book only every 100 ms.

# %%
quoted = analysis.spread(records, table=table, kind="TICKER")
quoted = quoted[~np.isnan(quoted["quoted"])]
stood = np.diff(quoted["recv_ns"])
ticks = np.rint(quoted["quoted"][:-1] / tick).astype(int)
share = np.bincount(ticks, weights=stood, minlength=102) / stood.sum()
plt.step(np.arange(1, len(share)), np.cumsum(share[::-1])[::-1][1:], where="post")
plt.xscale("log")
plt.yscale("log")
plt.xlabel(f"ticks of {tick:g} USDT")
plt.ylabel("share of time")
_ = plt.title("The spread was at least so wide")

# %%
mean = (ticks * stood).sum() / stood.sum()
bps = (quoted["relative"][:-1] * stood).sum() / stood.sum() * 1e4
above = 1 - share[1] / mean
say(
    f"The spread stood at **one tick for {share[1]:.1%} of the time**, was wider than a hundred ticks",
    f"for {share[101:].sum():.2%} of it, and reached {ticks.max():,} ticks.",
    f"Its mean over time was {mean:.1f} ticks ({bps:.3f} bps), and {above:.0%} of that mean comes from the",
    f"{1 - share[1]:.1%} of the time in which it was wider than a tick. Quote the typical spread, and you have",
    "not said what crossing it costs on a bad moment.",
)

# %% [markdown]
# ## Does order flow move the price?
#
# *Order-flow imbalance* adds what was put on the best bid and taken from the best ask, less the reverse
# (Cont, Kukanov and Stoikov, 2014). They found that the change of mid over ten seconds is nearly a line in
# it. We cut time into windows that do not overlap and regress the one on the other; with our few minutes,
# windows of one second.


# %%
def regression(kind, window_s):
    """OFI and change of mid in ticks per window, then slope, t value and R² of the line through them."""
    flow = analysis.order_flow_imbalance(records, table=table, kind=kind)["event"]
    edges = np.arange(begin_ns + 10**9, end_ns, int(window_s * 1e9))
    rows = analysis.rows_at(records, edges, table=table, kind=kind)
    rows = rows[rows >= 0]
    mids = analysis.microprice(records, table=table, kind=kind)["mid"][rows]
    x, y = np.diff(np.nancumsum(flow)[rows]), np.diff(mids) / tick
    x, y = x[~np.isnan(y)], y[~np.isnan(y)]
    slope, level = np.polyfit(x, y, 1)
    rest = y - slope * x - level
    error = np.sqrt((rest**2).sum() / (len(x) - 2) / ((x - x.mean()) ** 2).sum())
    return x, y, slope, slope / error, 1 - rest.var() / y.var()


# %%
figure, pair = plt.subplots(1, 2, sharey=True)
for axis, kind in zip(pair, ("TICKER", "BOOK"), strict=True):
    x, y, slope, _, fit = regression(kind, 1)
    axis.scatter(x, y, s=5, alpha=0.6)
    span = np.array([x.min(), x.max()])
    axis.plot(span, np.median(y - slope * x) + slope * span, "C1")
    axis.set_title(f"{kind}: R² {fit:.2f}, {len(x)} windows of 1 s")
    axis.set_xlabel("order-flow imbalance, BTC")
_ = pair[0].set_ylabel("change of mid, ticks")

# %%
found = {(kind, w): regression(kind, w)[2:] for kind in ("TICKER", "BOOK") for w in (1, 5)}
(slope, t, fit), (_, _, slow_fit) = found["TICKER", 1], found["BOOK", 1]
rows = ["| quotes | window | ticks per BTC | t | R² |", "|---|---|---|---|---|"]
rows += [f"| {kind} | {w} s | {f[0]:+.1f} | {f[1]:.1f} | {f[2]:.2f} |" for (kind, w), f in found.items()]
display(Markdown("\n".join(rows)))
say(
    f"**One BTC of imbalance went with {slope:+.1f} ticks of mid** (t = {t:.1f}), and the line accounts for {fit:.0%}",
    f"of the variance of one-second changes. Seen through the book of every 100 ms it is {slow_fit:.0%}; what came",
    "and went between two images is not counted there. Both sides of the line are the same second: this",
    "explains, it does not forecast.",
)

# %% [markdown]
# ## Do traders come in waves?
#
# Cut the *volume* into equal buckets rather than the time, and ask of each how one-sided it was. The
# average over the newest ten is VPIN (Easley, López de Prado and O'Hara, 2012). The venue tells who took,
# so nothing has to be guessed.

# %%
bucket = round(volume / 80, 2)
buckets = analysis.volume_buckets(records, bucket, window=10, table=table)
vpin = buckets[~np.isnan(buckets["vpin"])]
figure, (upper, lower) = plt.subplots(2, 1, sharex=True)
upper.plot((quotes["recv_ns"] - begin_ns) / 1e9, quotes["mid"], lw=0.7)
upper.set_title(f"Mid, and VPIN over ten buckets of {bucket} BTC")
lower.step((vpin["end_ns"] - begin_ns) / 1e9, vpin["vpin"], where="post", color="C1")
lower.set_ylim(0, 1)
lower.set_ylabel("VPIN")
_ = lower.set_xlabel("seconds")

# %% [markdown]
# Is that much? Let chance say. One large order shows as many trades, so trades of one side with one time
# stamp are put together first. Then the sides are dealt anew among these orders, two hundred times, and each
# deal is cut and measured like the truth.

# %%
begins = (np.diff(trades["side"], prepend=9) != 0) | (np.diff(trades["txn_ns"], prepend=0) != 0)
orders = np.add.reduceat(sizes, np.flatnonzero(begins))
signs = np.where(trades["side"][begins] == 0, 1, -1)
starts = np.flatnonzero(np.diff(np.cumsum(orders) // bucket, prepend=-1))


def one_sided(signs):
    """Mean one-sidedness of buckets cut between orders."""
    return float((np.abs(np.add.reduceat(signs * orders, starts)) / np.add.reduceat(orders, starts)).mean())


random = np.random.default_rng(1)
chance = [one_sided(random.permutation(signs)) for _ in range(200)]

# %%
truth = one_sided(signs)
lasted = (buckets["end_ns"] - buckets["start_ns"]) / 1e9
above = sum(truth > one for one in chance)
say(
    f"VPIN ran from {vpin['vpin'].min():.2f} to {vpin['vpin'].max():.2f}. Half of the buckets took less than",
    f"{np.median(lasted):.1f} s, the longest {lasted.max():.0f} s. Cut between orders, **a bucket was {truth:.0%}",
    f"one-sided on average.** Had the same {len(orders):,} orders chosen their sides by lot, it would have been",
    f"{np.mean(chance):.0%}; the truth lay above {above} of {len(chance)} deals.",
)

# %% [markdown]
# ## How rough is the path?
#
# Realised volatility adds up squared returns. If prices were a random walk it would not matter how often
# one looks. Where trades jump to and fro between bid and ask, looking often finds too much; where moves
# take their time, it finds too little. The *signature plot* shows which it is.

# %%
window = (
    20_000 if end_ns - begin_ns > 120e9 else 5_000
)  # ms; a short recording has room for short windows only
every = [ms for ms in (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000) if window % ms == 0]
year, rough = 365 * 86_400_000, {}
for price, kind in (("trade", "BOOK"), ("mid", "TICKER"), ("microprice", "TICKER")):
    options = {"price": price, "table": table, "kind": kind}
    found = [analysis.realised_volatility(records, window * 10**6, ms * 10**6, **options) for ms in every]
    rough[price] = [100 * float(np.sqrt(one["variance"].mean() * year / window)) for one in found]
    plt.plot(np.array(every) / 1000, rough[price], "o-", ms=3, label=price)
plt.xscale("log")
plt.xlabel("seconds between two looks")
plt.title("Signature plot: realised volatility, % a year")
_ = plt.legend()

# %%
windows = analysis.realised_volatility(records, window * 10**6, 10**9, table=table, kind="TICKER")
each = windows["volatility"] * np.sqrt(year / window) * 100
at = every.index(5_000)
verdict = "moves took their time" if rough["mid"][0] < rough["mid"][at] else "prices jumped to and fro"
say(
    f"Looking ten times a second, mid seems to move by **{rough['mid'][0]:.0f} % a year**, and trades by",
    f"{rough['trade'][0]:.0f} %; looking every five seconds, by {rough['mid'][at]:.0f} % and",
    f"{rough['trade'][at]:.0f} %. So {verdict} in these minutes. And it is not one number: over {len(each)} windows of",
    f"{window // 1000} s it ran from {each.min():.0f} % to {each.max():.0f} %, looking every second.",
    "Say how you looked before you say how rough it was.",
)

# %% [markdown]
# ## What this is not
#
# Eleven minutes of one symbol are an anecdote. The recorder's clock need not agree with the venue's, so
# nothing here compares the two: `recv_ns` alone is used. Every measure stops at gaps and never looks across
# one. Formulas, sources and units of all of them are in [docs/analysis.md](../docs/analysis.md).
#
# **Back to** [01](01-one-frame.ipynb), or put your own recording in place of ours: `tape.replayed(path, …)`
# is all it takes.
