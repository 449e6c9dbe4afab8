# %% [markdown]
# # How long does it take, and how do we know?
#
# A single number is not a latency. It hides the tail, and the tail is when it matters. So: every stage on
# its own, every record counted, percentiles with the number of samples behind them, and the machine they
# were taken on.

# %%
import os
import platform
import time

import matplotlib.pyplot as plt
import numba
import numpy as np

import ringbook
from ringbook.engine.layout import KIND_NAMES

with open("/proc/cpuinfo") as file:
    model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
print(f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, numba {numba.__version__}")

# %% [markdown]
# On these cores run the exchange, the engine, this kernel and whatever else the machine does. A trading
# machine would give the engine a core of its own; here all share, and the figures below say so.

# %%
plt.style.use("ringbook.mplstyle")
demo = ringbook.demo("latency", speed=8)
bus = demo.bus

# %% [markdown]
# ## The stages
#
# | stage | from | to |
# |---|---|---|
# | `venue_to_recv` | the venue's own stamp of the event | the engine's socket read returned |
# | `recv_to_publish` | that read | the record is committed on the ring |
# | `publish_to_read` | that | a handler in another process begins with it |
#
# The engine counts the first two for every record, in histograms on the bus. The third belongs to each
# reader: we run a handler that does nothing but count, and ask for `measure=True`.


# %%
@numba.njit
def count(record, state):
    """Do the least one can do."""
    state[0] += 1
    return 0


run = bus.run(count, np.zeros(1, np.int64), measure=True)
while run.state[0] < 30_000:
    time.sleep(0.1)
stages = {**bus.stages(), "publish_to_read": run.latency}
run

# %% [markdown]
# A percentile needs samples beyond it. We print p99.9 only where at least ten samples are larger; `max` is
# the worst that ever happened since the start, warm-up included.


# %%
def cells(found):
    """Microseconds, or a dash where too few samples stand behind a percentile."""
    for name, beyond in (("p50", 0.5), ("p99", 0.01), ("p99.9", 0.001)):
        yield f"{found[name] / 1000:>10.1f}" if found["count"] * beyond >= 10 else f"{'–':>10}"
    yield f"{found['max'] / 1000:>10.1f}"


print(f"{'µs':16}{'samples':>9}{'p50':>10}{'p99':>10}{'p99.9':>10}{'max':>10}")
for name in ("venue_to_recv", "recv_to_publish", "publish_to_read"):
    print(f"{name:16}{stages[name]['count']:>9,}", *cells(stages[name]), sep="")
assert stages["publish_to_read"]["count"] >= 1_000

# %% [markdown]
# Read with care:
#
# - A histogram's percentile is the upper end of its bucket: at most a thirty-second part above the truth,
#   never below it.
# - `venue_to_recv` compares two clocks. Here both are this machine's. Against a real venue it contains the
#   offset of the clocks, and can even be negative.
# - `publish_to_read` of this reader includes being woken: it sleeps when nothing comes (`mode="hybrid"`).
#   With a core to spare, `mode="spin"` never sleeps.
#
# ## The whole tail
#
# Records carry their own stamps, so we can draw every sample instead of three. Each curve says which share
# of the samples took longer than that.

# %%
records = bus.records(16_000)
assert len(records) >= 1_000
assert bus.book("BTCUSDT").health == "LIVE"
sent = records[records["event_ns"] > 0]
samples = {
    "venue_to_recv": sent["recv_ns"] - sent["event_ns"],
    "recv_to_publish": records["publish_ns"] - records["recv_ns"],
}
for name, took in samples.items():
    print(
        f"{name:16} {len(took):,} samples, least {took.min() / 1000:.1f} µs, most {took.max() / 1000:.1f} µs"
    )

# %%
for name, took in samples.items():
    longer = 1 - np.arange(len(took)) / len(took)
    plt.step(np.sort(took) / 1000, longer, where="post", label=name)
for share, name in ((0.5, "p50"), (0.01, "p99"), (0.001, "p99.9")):
    plt.axhline(share, color="#999999", lw=0.6, ls=":")
    plt.text(plt.xlim()[0], share, name, fontsize=8, va="bottom")
plt.xscale("log")
plt.yscale("log")
plt.xlabel("µs")
plt.ylabel("share that took longer")
plt.title(f"The newest {len(records):,} records, all of them")
_ = plt.legend()

# %% [markdown]
# ## Where does the time go?
#
# One socket read can bring many frames, and all its records carry the same `recv_ns`. The tenth record of a
# read has waited for nine others. So take neighbours of one read: the time between their two commits is what
# the later one cost by itself, from framing to the ring, together with frames between them that made no
# record.

# %%
after = np.flatnonzero(np.diff(records["recv_ns"]) == 0) + 1
cost = records["publish_ns"][after] - records["publish_ns"][after - 1]
reads = np.unique(records["recv_ns"])
print(f"{len(records) / len(reads):.1f} records a read; what one costs, in ns:")
for kind, name in KIND_NAMES.items():
    some = cost[records["kind"][after] == kind]
    if len(some) >= 20:
        p50, p99 = (f"{int(p):,}" for p in np.percentile(some, (50, 99), method="higher"))
        p99 = p99 if len(some) >= 1_000 else "–"
        print(f"{name:8}{len(some):7,} samples  p50 {p50:>6}  p99 {p99:>6}  max {some.max():7,}")

# %%
took = samples["recv_to_publish"] / 1000
start = np.searchsorted(reads, records["recv_ns"])
place = np.arange(len(records)) - np.searchsorted(start, start)
inner = start > 0  # the first read may be cut off
plt.scatter(place[inner] + 1, took[inner], s=2, alpha=0.2)
plt.xscale("log")
plt.yscale("log")
plt.xlabel("place in its socket read")
plt.ylabel("recv_to_publish, µs")
_ = plt.title("Waiting for one's turn")

# %% [markdown]
# And over time? A tail made of single spikes is the scheduler, one that comes in blocks is a burst of the
# market or of the machine.

# %%
seconds = (records["recv_ns"] - records["recv_ns"][0]) / 1e9
plt.scatter(seconds, took, s=2, alpha=0.3)
plt.yscale("log")
plt.xlabel("seconds")
plt.ylabel("recv_to_publish, µs")
worst = np.unique(records["recv_ns"][np.argsort(took)[-16:]])
_ = plt.title(f"The slowest 16 records came from {len(worst)} socket reads")

# %% [markdown]
# ## Was anything lost?
#
# A latency of what arrived says nothing about what did not. The reader counts what was overwritten before
# it could read it, the engine counts gaps.

# %%
report = run.stop()
print(
    f"{report.records:,} records read, {report.lost:,} lost, {report.sleeps:,} sleeps, {bus.counters()['gaps']} gaps"
)
demo.stop()

# %% [markdown]
# **Next:** [04](04-strategy.ipynb) gives the reader something to do. The serious benchmarks, with their
# commands, are in [benchmarks/RESULTS.md](../benchmarks/RESULTS.md).
