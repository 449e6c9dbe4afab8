"""`ringbook.demo()`: the built-in exchange and the engine in the background of a script or notebook.

A thread of its own starts the two processes and stays: the kernel ends a child with the thread that made it,
and the cell or pool thread that called may be gone at once. The processes are in sessions of their own, so an
interrupt of this one does not reach them; they end with `stop()`, at exit, or with this process however it dies.
"""

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import directory as places
from .census import inspect
from .children import STOP_SECONDS, Child
from .demo import READY_S, SYMBOLS, removed_at_the_end
from .errors import BusInUse, RingbookError
from .markup import card, escape
from .owner import Verdict, command_of, start_ticks
from .reader import Bus, join
from .show import Steps
from .venues.base import UnknownVenue
from .verdict import ask

SILENCE_S = 120.0  # a busy machine takes its time for twenty kernels
TURN_S = 0.05
_running: "weakref.WeakSet[Demo]" = weakref.WeakSet()
_starting = threading.Lock()


class Demo:
    """A demo in the background; made by `ringbook.demo`. A context manager: leaving it stops the demo."""

    def __init__(self, name: str, directory: Path | str | None, options: dict[str, Any]) -> None:
        self.name, self.directory, self.options = name, directory, options
        self._bus: Bus | None = None
        self.rest_url, self.step = "", "starting the exchange"
        self.failure: BaseException | None = None
        self._pid, self._up = os.getpid(), threading.Event()
        self._end, self._ended = threading.Event(), threading.Event()  # asked for; done
        self._keeper = threading.Thread(target=self._keep, name=f"ringbook-{name}", daemon=True)

    @property
    def bus(self) -> Bus:
        """The demo's bus, joined as soon as the engine was ready."""
        if self._bus is None:
            raise RingbookError(f"demo {self.name!r} has no bus yet, it is {self.step}")
        return self._bus

    @property
    def is_running(self) -> bool:
        """Whether exchange and engine are there."""
        is_over = self._ended.is_set() or self._end.is_set() or os.getpid() != self._pid
        return self._keeper.ident is not None and not is_over

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is traded."""
        return self.options["symbols"]

    # -- the thread that holds the children
    def _keep(self) -> None:
        chosen = self.options
        market = ("--venue", chosen["venue"], "--symbols", ",".join(chosen["symbols"]))
        speed = ("--speed", str(chosen["speed"]), "--seed", str(chosen["seed"]))
        try:
            with Child("the exchange", "exchange", *market, *speed, is_quiet=True) as exchange:
                urls = exchange.ready(READY_S, self._look)
                self.rest_url, self.step = urls["rest"], "starting the engine"
                engine_options = ("--rest-url", urls["rest"], "--ws-url", urls["ws"], *self._bus_options())
                with (
                    removed_at_the_end(self.name, self.directory),
                    Child("the engine", "run", *market, *engine_options, is_quiet=True) as engine,
                ):
                    engine.ready(SILENCE_S, lambda: self._look(engine))
                    self._up.set()
                    self._stay(exchange, engine)
        except BaseException as error:  # told where the user looks: by demo(), or by the repr
            self.failure = error
        finally:
            self._up.set()
            self._ended.set()

    def _bus_options(self) -> list[str]:
        found = ["--bus", self.name, "--top-n", str(self.options["top_n"])]
        return found if self.directory is None else [*found, "--directory", str(self.directory)]

    def _look(self, engine: Child | None = None) -> None:
        if self._end.is_set():
            raise RingbookError("stopped before it was ready")
        compiling = [line for line in (engine.said if engine else ()) if line.startswith("kernels ")]
        self.step = f"starting the engine: {compiling[-1]}" if compiling else self.step

    def _stay(self, *children: Child) -> None:
        while not self._end.wait(TURN_S):
            for child in children:
                child.listen()
                if not child.is_running:
                    code = child.process.returncode
                    raise RingbookError(f"{child.name} ended with code {code}{child.last_words()}")

    # -- the caller's side
    def start(self, timeout_s: float, say: Steps) -> None:
        """Start, and wait until every book is LIVE; on any error, Ctrl-C included, nothing is left running.

        timeout_s  for the books to become LIVE once the engine runs
        """
        self._keeper.start()
        try:
            while not self._up.wait(TURN_S):
                say(self.step)
            self._raise_failure()
            self._bus = join(self.name, self.directory)
            self._wait_live(timeout_s, say)
        except BaseException:
            self.stop()
            raise
        say.done(f"demo {self.name!r} is LIVE: {', '.join(self.symbols)}")

    def _wait_live(self, timeout_s: float, say: Steps) -> None:
        deadline, states = time.monotonic() + timeout_s, {}
        while time.monotonic() < deadline:
            self._raise_failure()
            states = self.bus.health()["symbols"]
            live = sum(state == "LIVE" for state in states.values())
            if states and live == len(states) == len(self.symbols):
                return
            say(f"waiting for snapshots: {live} of {len(self.symbols)} books LIVE")
            time.sleep(TURN_S)
        raise RingbookError(f"after {timeout_s:.0f} s the books were {states}, expected all LIVE; try again")

    def _raise_failure(self) -> None:
        if self.failure:
            raise RingbookError(f"demo {self.name!r}: {self.failure}") from None

    def gap(self, symbol: str | None = None) -> None:
        """Let the exchange drop a diff, of the first symbol if none is named: see the book leave LIVE and heal."""
        if not self.is_running:
            raise RingbookError(f"demo {self.name!r} has ended; start another with ringbook.demo()")
        ask(f"{self.rest_url}/ringbook/fault", {"kind": "gap", "symbol": symbol or self.symbols[0]})

    def stop(self) -> None:
        """End exchange and engine and remove the bus; a second call does nothing."""
        if os.getpid() != self._pid:
            return  # a forked copy owns nothing
        self._end.set()
        if self._keeper.ident is not None:
            self._ended.wait(4 * STOP_SECONDS)
        if self._bus is not None:
            self._bus.close()

    def __enter__(self) -> "Demo":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _state(self) -> str:
        if self.is_running:
            return "running; .bus reads it, .stop() ends it"
        return f"ended: {self.failure}" if self.failure else "stopped"

    def _repr_html_(self) -> str:
        inside = self._bus._repr_html_() if self._bus and self.is_running else ""
        return inside + card('<div class="rbk-f">', escape(repr(self)[1:-1]), "</div>")

    def __repr__(self) -> str:
        return f"<Demo {self.name} {self.options['venue']} {' '.join(self.symbols)}: {self._state()}>"


@atexit.register
def _stop_all() -> None:
    for demo in list(_running):
        with contextlib.suppress(Exception):  # the others must be stopped too
            demo.stop()


def _is_orphan(pid: int) -> bool:
    """Whether a process was told to die with a parent that is gone: it is about to."""
    words = command_of(pid, 4096).split(" --die-with-parent ")
    return len(words) == 2 and words[1].isdecimal() and start_ticks(int(words[1])) is None


def _refuse_foreign(name: str, directory: Path | str | None) -> None:
    """Raise BusInUse for a living bus of that name; one left by a killed kernel gets time to go."""
    folder, deadline = Path(directory or places.default_directory()), time.monotonic() + STOP_SECONDS
    while name in places.bus_names(folder):
        found = inspect(name, folder)
        if found.verdict not in (Verdict.RUNNING.value, Verdict.STALLED.value):
            return
        if not _is_orphan(found.pid) or time.monotonic() > deadline:
            raise BusInUse(
                f"bus {name!r} is {found.verdict} already, owned by pid {found.pid} ({command_of(found.pid)}); "
                f"read it with ringbook.join({name!r}), or choose another name: ringbook.demo({name + '2'!r})"
            )
        time.sleep(TURN_S)


def demo(
    name: str = "demo",
    venue: str = "binance-spot",
    symbols: Sequence[str] | str | None = None,
    *,
    speed: float = 5.0,
    seed: int = 1,
    top_n: int = 20,
    directory: Path | str | None = None,
    timeout_s: float = 60.0,
) -> Demo:
    """Start the built-in exchange and the engine in the background; returns once every book is LIVE.

    name       of the bus; where a demo of that name and these options runs in this process, it is returned
    venue      binance-spot or binance-usdm
    symbols    of the simulated market, as the venue spells them; default three of different prices
    speed      times real time
    seed       the same seed gives the same orders
    top_n      levels a side in a record
    directory  default RINGBOOK_DIR, else /dev/shm/ringbook-<uid>
    timeout_s  for the books to become LIVE; compiling at the first start is not counted

    Works inside a running event loop. Both processes end with `.stop()`, at the end of the `with` block, at
    exit, and when this process is killed; an interrupt does not reach them.
    """
    if venue not in SYMBOLS:
        raise UnknownVenue(f"venue was {venue!r}, expected one of {', '.join(SYMBOLS)}")
    places.check_name(name)
    chosen = (symbols,) if isinstance(symbols, str) else tuple(symbols or SYMBOLS[venue])
    options = {"venue": venue, "symbols": chosen, "speed": speed, "seed": seed, "top_n": top_n}
    with _starting:
        for other in _running:
            if other.is_running and (other.name, other.directory) == (name, directory):
                if other.options == options:
                    return other
                raise BusInUse(
                    f"demo {name!r} runs already with {other.options}, asked for were {options}; "
                    "stop it first with its .stop(), or choose another name"
                )
        _refuse_foreign(name, directory)
        made = Demo(name, directory, options)
        _running.add(made)
        made.start(timeout_s, Steps())
    return made
