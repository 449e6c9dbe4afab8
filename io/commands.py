"""What each command does; arguments are parsed in cli.py, pictures are drawn in show.py."""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from ..engine import layout
from . import show
from .children import die_with_parent
from .errors import RingbookError

EXIT_NOT_LIVE = 3


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _ready(**facts: Any) -> None:
    """One JSON line on stdout: a parent process waits for it."""
    print(json.dumps(facts), flush=True)


def run(options: argparse.Namespace) -> int:
    """Follow a venue until stopped."""
    from .config import EngineConfig, load
    from .run import run_engine

    if options.die_with_parent is not None:
        die_with_parent(options.die_with_parent)
    skipped = ("config", "function", "command", "verbose", "die_with_parent")
    overrides = {k: v for k, v in vars(options).items() if k not in skipped and v is not None}

    def chosen() -> EngineConfig:
        return load(options.config, overrides)

    return run_engine(chosen(), _say, _ready, chosen)


def exchange(options: argparse.Namespace) -> int:
    """Serve the built-in exchange until stopped."""
    from .exchange.faults.kinds import described
    from .exchange.faults.plan import assembled
    from .exchange.options import ExchangeOptions
    from .exchange.server import Exchange, serve

    if options.list_faults:
        print(described())
        return 0
    served: list[Exchange] = []

    def started(made: Exchange) -> None:
        served.append(made)
        _ready(rest=made.rest_url, ws=made.ws_url)

    if options.die_with_parent is not None:
        die_with_parent(options.die_with_parent)
    try:
        chosen = ExchangeOptions(
            venue=options.venue,
            symbols=tuple(options.symbols),
            recording=tuple(options.recording),
            speed=options.speed,
            seed=options.seed,
            host=options.host,
            port=options.port,
            tls=options.tls,
            ca_file=options.ca_file,
            faults=assembled(options.faults, tuple(options.fault), options.fault_seed),
        )
        serving = serve(chosen, started)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serving)
    except (ValueError, OSError) as error:
        raise RingbookError(str(error)) from None
    finally:
        for name, count in sorted(served[0].faults.struck.items() if served else ()):
            _say(f"fault {name}: struck {count} times")
    return 0


def demo(options: argparse.Namespace) -> int:
    """Exchange, engine, reader and ladders; a verdict at the end."""
    from .demo import run_demo

    return run_demo(
        options.venue, options.source, options.seconds, as_json=options.json, picture=options.picture
    )


def replay(options: argparse.Namespace) -> int:
    """Recorded frames through the same kernels, without sockets."""
    from ..engine import jit
    from ..engine.instruments import fallback
    from .instrument_file import load_instruments
    from .recording import read_recording, survey
    from .replay import Replay
    from .replay import replay as run_replay
    from .venues.base import get_venue

    venue = get_venue(options.venue)
    instruments = load_instruments(options.instruments, venue) if options.instruments else {}
    symbols = [name.encode() for name in options.symbols] if options.symbols else None
    owners = survey(options.recordings).snapshot_owners
    engine = Replay(venue, instruments, fallback, symbols, owners, top_n=options.top_n)
    jit.warm(show.WarmProgress())
    started = time.perf_counter()
    summary = run_replay(engine, read_recording(options.recordings))
    seconds = time.perf_counter() - started
    if options.books:
        _write_books(options.books, dict(engine.books()))
    if options.json:
        facts = {**vars(summary), "seconds": round(seconds, 3), "all_live": summary.all_live}
        print(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
    else:
        print(
            f"{summary.lines} lines, {summary.records} records in {seconds:.2f} s; digest {summary.digest[:16]}"
        )
        print(show.rows(("symbol", "health"), list(summary.symbols.items())))
    return 0 if summary.all_live else EXIT_NOT_LIVE


def _write_books(path: Path, books: dict[str, Any]) -> None:
    try:
        path.write_bytes(orjson.dumps(books))
    except OSError as error:
        raise RingbookError(
            f"--books {path}: cannot be written ({error.strerror}); choose another path"
        ) from None


def tail(options: argparse.Namespace) -> int:
    """Records as they come."""
    from .reader import join
    from .record_text import as_dict, as_line
    from .views import row_of

    with join(options.bus) as bus:
        if options.symbol:
            row_of(bus.symbol_rows, options.symbol)  # a misspelt one would be waited for in silence
        for number, record in enumerate(bus.follow(symbol=options.symbol, kind=options.kind), 1):
            row = bus.symbol_rows[int(record["symbol_id"])]
            if options.json:
                print(orjson.dumps(as_dict(record, row)).decode(), flush=True)
            else:
                print(as_line(record, row), flush=True)
            if options.count and number >= options.count:
                break
    return 0


def watch(options: argparse.Namespace) -> int:
    """Live ladders."""
    from .reader import join

    with join(options.bus) as bus:
        show.watch(bus, options.symbols or bus.symbols[:2], options.levels, options.seconds)
    return 0


def ls(options: argparse.Namespace) -> int:
    """Buses and their owners."""
    from .census import ls as list_buses

    found = list_buses()
    if options.json:
        facts: list[dict[str, Any]] = [vars(entry) for entry in found]
        print(orjson.dumps(facts, option=orjson.OPT_INDENT_2, default=str).decode())
    elif found:
        print(show.bus_table(found))
    else:
        print("no bus here; `ringbook demo` shows one, `ringbook run` makes one")
    return 0


def rm(options: argparse.Namespace) -> int:
    """Remove dead buses."""
    from .census import ls as list_buses
    from .census import rm as remove

    names = list(options.buses)
    if options.all_dead:
        names += [entry.name for entry in list_buses() if entry.verdict in ("dead", "closed")]
    if not names:
        raise RingbookError("nothing to remove: name a bus, or give --all-dead")
    for name in names:
        remove(name)
        print(f"removed {name}")
    return 0


def health(options: argparse.Namespace) -> int:
    """Exit 0 when the bus is well."""
    from .reader import join

    with join(options.bus) as bus:
        facts = bus.health()
    well = facts["verdict"] == "running" and (
        options.alive or all(state == "LIVE" for state in facts["symbols"].values())
    )
    if options.json:
        print(orjson.dumps(facts, option=orjson.OPT_INDENT_2, default=str).decode())
    else:
        print(f"{facts['verdict']}: " + ", ".join(f"{s} {h}" for s, h in facts["symbols"].items()))
    return 0 if well else 1


def top(options: argparse.Namespace) -> int:
    """How the engine and its books are, again and again."""
    from .reader import join
    from .top import Top, as_text, watch_top

    with join(options.bus) as bus:
        if not options.json and not options.once:
            watch_top(bus, options.interval, options.rows, options.count)
            return 0
        looking, count = Top(bus), 1 if options.once else options.count
        looking.look()  # rates need two
        while count is None or count > 0:
            time.sleep(options.interval)
            facts = looking.look()
            if options.json:
                print(orjson.dumps(facts).decode(), flush=True)
            else:
                print(as_text(facts, options.rows or len(facts["symbols"])))
            count = None if count is None else count - 1
    return 0


def gaps(options: argparse.Namespace) -> int:
    """Outages of the books, from the ledger."""
    from .ledger import as_dict, gaps_text, overwritten, parse_since, summary
    from .reader import join
    from .views import row_of

    since_ns = parse_since(options.since, time.time_ns()) if options.since else None
    with join(options.bus) as bus:
        found, link = bus.gaps(None, since_ns), bus.link
        if options.symbol:
            found = found[found["symbol"] == options.symbol.encode()]
            if not len(found):
                row_of(bus.symbol_rows, options.symbol)  # a misspelt one would look well
        if options.json:
            facts = {
                "bus": link.name,
                "verdict": link.verdict().value,
                "generation": link.generation,
                "heartbeat_ns": int(link.words[layout.H_HEARTBEAT]),
                "overwritten": overwritten(link),
                "gaps": [as_dict(gap) for gap in found],
                "summary": summary(found),
            }
            print(orjson.dumps(facts, option=orjson.OPT_INDENT_2).decode())
        else:
            print(gaps_text(link, found))
    return 0


def warm(options: argparse.Namespace) -> int:
    """Compile or load every kernel."""
    from ..engine import jit
    from ..engine.pipeline import ingest_room
    from . import reader  # noqa: F401  (registers the readers' kernels)
    from .venues.base import families

    for family in families():
        ingest_room(family)
    seconds = jit.warm(show.WarmProgress())
    removed = jit.prune()
    print(
        f"{len(jit.registry)} kernels ready in {seconds:.2f} s, cache {jit.cache_root()}, {removed} old folders removed"
    )
    return 0
