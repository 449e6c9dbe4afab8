"""The command line: one parser, one function per command, exit codes that mean something.

0 done · 1 an error that was explained · 2 wrong arguments · 3 a replay ended with a book that is not LIVE
"""

import argparse
import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..engine.layout import KIND_NAMES, TOP_N_DEFAULT, TOP_N_MAX
from . import commands
from .errors import RingbookError
from .exchange.faults.kinds import KINDS as FAULT_KINDS
from .quiet import LogLimit

VENUES = "binance-spot, binance-usdm"
KINDS = tuple(KIND_NAMES.values())
BUS = "name of the bus; default: the only one"
DIE = "stop when the process that started this one ends; its pid, if it may already be gone"


def _engine_options(parser: argparse.ArgumentParser) -> None:
    """Options of `run`; names equal the keys of the configuration file (docs/config.md)."""
    add = parser.add_argument
    add("--config", type=Path, help="TOML file; options given here win over it")
    add("--venue", help=VENUES)
    add("--symbols", type=_names, help="comma-separated, as the venue spells them: BTCUSDT,ETHUSDT")
    add("--bus", help="name of the bus; default: the venue's name")
    add("--directory", type=Path, help="where bus files live (default /dev/shm/ringbook-<uid>)")
    add("--streams", type=_names, help="comma-separated: depth@100ms,trade,aggTrade,bookTicker,depth20@100ms")
    add("--top-n", type=int, help="levels a side in a record, 1..50 (default 20)")
    add("--slots", type=int, help="ring slots, a power of two (default 16384)")
    add("--book-levels", type=int, help="levels a side that a full book holds at most (default 10240)")
    add("--symbol-capacity", type=int, help="rows of the symbol table")
    add("--source", choices=("direct", "plain"), help="frame source (default direct)")
    add(
        "--spin", action="store_true", default=None, help="never sleep: poll the sockets on a core of its own"
    )
    add("--core", type=int, help="pin the engine to this core")
    add("--group-readable", action="store_true", default=None, help="let the folder's group read the bus")
    add("--lock-memory", action="store_true", default=None, help="keep the bus from being paged out")
    add("--huge-pages", action="store_true", default=None, help="ask the kernel for 2 MB pages")
    add("--snapshot-limit", type=int, help="levels a side asked of REST")
    add("--publish-all", action="store_true", default=None, help="publish a BOOK for every diff")
    add("--deltas", action="store_true", default=None, help="publish the rows of every diff too")
    add("--ws-url", help="websocket base, in place of the venue's")
    add("--ws-market-url", help="websocket base of USD-M's /market streams")
    add("--rest-url", help="REST base, in place of the venue's")
    add("--ca-file", type=Path, help="certificate authority to trust besides the system's")
    add("--audit-s", type=float, help="seconds between two audits of a live book; 0: none (default 60)")
    add("--redundancy", type=int, help="connections per stream: 2 and each fills what the other loses")


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """An argument type: a whole number within bounds."""

    def parse(text: str) -> int:
        value = int(text) if text.strip("+-").isdecimal() else None
        if value is None or value < least or (most is not None and value > most):
            upper = f"..{most}" if most is not None else " or more"
            raise argparse.ArgumentTypeError(f"was {text!r}, expected a whole number, {least}{upper}")
        return value

    return parse


def _seconds(text: str) -> float:
    """An argument type: a time of a millisecond to a day."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.001 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"was {text!r}, expected seconds, 0.001..86400")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from ringbook import __version__

    parser = argparse.ArgumentParser(
        prog="ringbook",
        description="Live order books, from websocket bytes to shared memory, in Python and Numba.",
    )
    parser.add_argument("--version", action="version", version=f"ringbook {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens, to stderr")
    chosen = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[Any], int], text: str) -> argparse.ArgumentParser:
        sub = chosen.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(function=function)
        return sub

    run = command("run", commands.run, "follow a venue and publish its books on a bus")
    _engine_options(run)
    run.add_argument("--die-with-parent", type=int, nargs="?", const=0, metavar="PID", help=DIE)
    demo = command(
        "demo", commands.demo, "built-in exchange, engine, reader and live ladders, then a verdict"
    )
    demo.add_argument("--seconds", type=float, default=20.0, help="how long to show (default 20)")
    demo.add_argument("--venue", default="binance-spot", help=VENUES)
    demo.add_argument(
        "--source", choices=("direct", "plain"), default="direct", help="frame source (default direct)"
    )
    demo.add_argument("--picture", type=Path, help="save the last ladders and the summary as SVG")
    demo.add_argument("--json", action="store_true", help="no ladder; print the summary as JSON")
    exchange = command("exchange", commands.exchange, "the built-in exchange on loopback, healthy or faulty")
    _exchange_options(exchange)
    _replay_options(command("replay", commands.replay, "drive recorded frames through the same kernels"))
    _reader_commands(command)
    command("warm", commands.warm, "compile every kernel, or load it from the cache")
    return parser


def _exchange_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--venue", default="binance-spot", help=VENUES)
    add("--symbols", type=_names, default=(), help="symbols of the simulated market")
    add("--recording", type=Path, nargs="+", default=(), help="play these files instead of simulating")
    add("--speed", type=float, default=1.0, help="times real time; 0 is as fast as clients take it")
    add("--seed", type=int, default=1, help="of the simulated market")
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--port", type=int, default=0, help="0 lets the system choose")
    add("--tls", action="store_true", help="serve https and wss with a certificate made at start")
    add("--ca-file", type=Path, help="write the authority to trust here")
    add("--faults", type=Path, metavar="PLAN.toml", help="inject the faults of this plan (docs/faults.md)")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="KIND:NAME=VALUE,…",
        help="inject this fault: lost:probability=0.001 or reset:every_s=30; may be repeated",
    )
    add("--fault-seed", type=int, metavar="N", help="seed of the faults, in place of the plan's")
    add("--list-faults", action="store_true", help="print every fault with its parameters, and stop")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    names = [f"{kind.name:<18} {kind.sees}" for kind in FAULT_KINDS.values()]
    parser.epilog = "faults:\n  " + "\n  ".join(names)
    add("--die-with-parent", type=int, nargs="?", const=0, metavar="PID", help=DIE)


def _replay_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("recordings", type=Path, nargs="+", metavar="RECORDING", help="files, one stream in the order given")
    add("--venue", required=True, help=VENUES)
    add("--symbols", type=_names, help="only these")
    add("--instruments", type=Path, help="exchangeInfo JSON, or a TOML table of ticks and steps")
    add("--books", type=Path, metavar="OUT.json", help="write every final full book, exactly")
    top_n = _whole(1, TOP_N_MAX)
    add(
        "--top-n",
        type=top_n,
        default=TOP_N_DEFAULT,
        metavar="N",
        help="levels a side in a record, 1..50 (default 20)",
    )
    add("--json", action="store_true", help="print the summary as JSON")


def _reader_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    tail = command("tail", commands.tail, "records as they come")
    tail.add_argument("bus", nargs="?", help=BUS)
    tail.add_argument("--symbol", help="only this one")
    tail.add_argument("--kind", type=str.upper, choices=KINDS, help="only this kind of record")
    tail.add_argument("--json", action="store_true", help="one JSON object a line")
    tail.add_argument("-n", "--count", type=_whole(1), metavar="N", help="stop after so many records")
    watch = command("watch", commands.watch, "live ladders in the terminal")
    watch.add_argument("bus", nargs="?", help=BUS)
    watch.add_argument("symbols", nargs="*", help="default: the first two")
    watch.add_argument("--levels", type=_whole(1), default=10, metavar="N", help="levels shown (default 10)")
    watch.add_argument("--seconds", type=float, help="stop after so long")
    top = command("top", commands.top, "health, rates and outages of every book, live, the worst first")
    top.add_argument("bus", nargs="?", help=BUS)
    top.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="S", help="between two looks (default 1)"
    )
    top.add_argument("--count", type=_whole(1), metavar="N", help="stop after so many looks")
    top.add_argument(
        "--rows", type=_whole(1), metavar="N", help="symbols shown (default: what the terminal holds)"
    )
    top.add_argument("--once", action="store_true", help="one picture in plain text, after one interval")
    top.add_argument("--json", action="store_true", help="one JSON object a look, every symbol in it")
    listing = command("ls", commands.ls, "buses and their owners")
    listing.add_argument("--json", action="store_true", help="a JSON list")
    remove = command("rm", commands.rm, "remove buses whose owner is dead")
    remove.add_argument("buses", nargs="*", help="names")
    remove.add_argument("--all-dead", action="store_true", help="every bus without a living owner")
    gaps = command("gaps", commands.gaps, "when books were not LIVE, how long and why; of a dead engine too")
    gaps.add_argument("bus", nargs="?", help=BUS)
    gaps.add_argument("--symbol", help="only this one")
    gaps.add_argument(
        "--since", metavar="WHEN", help="90s, 15m, 2h or 3d ago, or a time: 2026-01-31T12:00 (UTC)"
    )
    gaps.add_argument("--json", action="store_true", help="every outage and the sums, as JSON")
    health = command("health", commands.health, "exit 0 if the bus beats and every symbol is LIVE, else 1")
    health.add_argument("bus", nargs="?", help=BUS)
    health.add_argument("--alive", action="store_true", help="ask only for the heartbeat")
    health.add_argument("--json", action="store_true", help="everything known, as JSON")


def main(arguments: Sequence[str]) -> int:
    """Parse, run, and turn explained errors into one line and an exit code."""
    options = build_parser().parse_args(arguments)
    level = logging.INFO if options.verbose else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(LogLimit())
    logging.basicConfig(level=level, handlers=[handler], format="%(levelname)s %(name)s: %(message)s")
    try:
        code = options.function(options)
        sys.stdout.flush()
        return code
    except RingbookError as error:
        print(f"ringbook: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, which is its right; Python's last flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
