"""Pictures of the figures in `benchmarks/data`: latency percentiles, cost against size. Drawn as docs/bench/*.svg.

python -m benchmarks.plots

`latency.json` is kept by `benchmarks.latency --data`, `scale.json` by `benchmarks.scale`. A picture without data is
left out and named.
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")
PICTURES = Path(__file__).resolve().parent.parent / "docs" / "bench"
LOOK = {
    "figure.figsize": (6.4, 3.6), "font.size": 9, "axes.grid": True, "grid.color": "#dddddd", "axes.spines.top": False,
    "axes.spines.right": False, "lines.linewidth": 1.6, "legend.frameon": False, "svg.hashsalt": "ringbook",
    "svg.fonttype": "none",
}  # fmt: skip
TAILS = (50, 90, 99, 99.9)
RATE = 10_000.0
SENT = "Send to published record, 10,000 messages/s, TCP"


def symbols(axes: Any, kept: dict) -> None:
    """Cost of a message against the number of symbols, the reads' floor dashed."""
    for zipf, name, colour in ((True, "Zipf", "#1f77b4"), (False, "all alike", "#d62728")):
        rows = [row for row in kept["symbols"] if row[1] == zipf]
        counts = [row[0] for row in rows]
        axes.plot(
            counts, [row[2] / 1000 for row in rows], "o-", color=colour, label=f"frame to record, {name}"
        )
        axes.plot(
            counts, [row[3] / 1000 for row in rows], "--", color=colour, label=f"20 dependent reads, {name}"
        )
    axes.set(xscale="log", xlabel="symbols on the bus", ylabel="µs a message of 20 levels", ylim=(0, None))
    axes.xaxis.set_major_formatter("{x:,.0f}")


def levels(axes: Any, kept: dict) -> None:
    """Cost of a message against the depth of the book."""
    depths = [row[0] for row in kept["levels"]]
    axes.plot(depths, [row[1] / 1000 for row in kept["levels"]], "o-", label="frame to record")
    axes.plot(
        depths, [row[2] / 1000 for row in kept["levels"]], "--", color="#888888", label="20 dependent reads"
    )
    axes.set(
        xscale="log", xlabel="levels a side of the book", ylabel="µs a message of 20 levels", ylim=(0, None)
    )


def latencies(way: str) -> Callable[[Any, dict], None]:
    """Latency against percentile for one way of waiting; each step right is ten times rarer."""

    def drawing(axes: Any, kept: dict) -> None:
        for curve in kept["curves"]:
            if curve["way"] == way and curve["rate"] == RATE:
                points = [(1 / (1 - p / 100), us) for p, us in curve["quantiles"] if p < 100]
                axes.plot(*zip(*points, strict=True), ".-", label=curve["receiver"])
        axes.set(xscale="log", yscale="log", xlabel="percentile of messages", ylabel="latency, µs")
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.set_xticks([1 / (1 - share / 100) for share in TAILS], [f"{share:g} %" for share in TAILS])
        axes.minorticks_off()

    return drawing


# Picture → (data, title, what draws it).
DRAWINGS: dict[str, tuple[str, str, Callable]] = {
    "symbols": ("scale", "Cost of a message by number of symbols", symbols),
    "levels": ("scale", "Cost of a message by depth of the book", levels),
    "latency-blocking": ("latency", f"{SENT}, blocking", latencies("TCP, blocking")),
    "latency-spinning": ("latency", f"{SENT}, spinning", latencies("TCP, spinning")),
}


def draw(name: str, data: Path, pictures: Path) -> str:
    """Draw one picture; a line about it."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    source, title, drawing = DRAWINGS[name]
    path = data / f"{source}.json"
    if not path.exists():
        return f"{name}: left out, {path.name} was not measured yet"
    with matplotlib.rc_context(LOOK):
        figure, axes = pyplot.subplots(layout="constrained")
        drawing(axes, json.loads(path.read_text()))
        axes.set_title(title, loc="left")
        axes.legend()
        pictures.mkdir(parents=True, exist_ok=True)
        target = pictures / f"{name}.svg"
        figure.savefig(target, metadata={"Date": None})
        pyplot.close(figure)
    target.write_text("\n".join(line.rstrip() for line in target.read_text().splitlines()) + "\n")
    return f"{name}: docs/bench/{target.name}"


def main() -> int:
    """Draw what there is data for."""
    if importlib.util.find_spec("matplotlib") is None:
        sys.stdout.write("no pictures drawn: install ringbook[notebook], which brings matplotlib\n")
        return 0
    sys.stdout.writelines(draw(name, DATA, PICTURES) + "\n" for name in DRAWINGS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
