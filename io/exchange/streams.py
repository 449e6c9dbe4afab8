"""Stream names and who listens to them."""

import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, Protocol

from .faults.conditions import Conditions
from .venues import Venue
from .wire import envelope

_KIND = re.compile(r"(?:(depth)(5|10|20)?(?:@(\d{1,5})ms)?|(trade|aggTrade|bookTicker))")


class Stream(NamedTuple):
    """A stream the exchange serves: `kind` is depth, partial, trade, aggTrade or bookTicker."""

    name: str
    symbol: str
    kind: str
    levels: int = 0
    interval_ms: int = 0


def parse_stream(name: str, symbols: dict[str, str], venue: Venue) -> Stream | None:
    """The stream called `name`, or None: a venue acknowledges such a name and stays silent.

    symbols  the venue's symbols by their lower-case form
    """
    lower, _, rest = name.partition("@")
    found = _KIND.fullmatch(rest)
    if lower not in symbols or not found:
        return None
    depth, levels, interval, kind = found.groups()
    if not depth:
        return Stream(name, symbols[lower], kind)
    interval_ms = int(interval) if interval else venue.default_depth_ms
    return Stream(name, symbols[lower], "partial" if levels else "depth", int(levels or 0), interval_ms)


class Listener(Protocol):
    """What the hub needs of a connection."""

    combined: bool
    unit_ns: int

    @property
    def backlog_bytes(self) -> int: ...

    def serves(self, kind: str) -> bool: ...

    def push(self, message: bytes, stream: Stream | None = None) -> None: ...


class Hub:
    """Connections by stream name. `frames` counts what was sent, per stream and connection; `conditions` are
    faults in force, which hide symbols and change printed ids and times."""

    def __init__(self, venue: Venue, symbols: list[str], conditions: Conditions | None = None) -> None:
        self.venue, self.conditions = venue, conditions or Conditions()
        self.symbols = {symbol.lower(): symbol for symbol in symbols}
        self.listeners: dict[str, dict[Listener, None]] = {}
        self.served: dict[str, Stream] = {}
        self.frames: Counter[str] = Counter()
        self.on_change: list[Callable[[], None]] = []

    def subscribe(self, listener: Listener, name: str) -> None:
        """Let the listener hear `name`; silently nothing for a name not served on its path."""
        stream = parse_stream(name, self.symbols, self.venue)
        if stream is None or not listener.serves(stream.kind):
            return
        self.served[name] = stream
        self.listeners.setdefault(name, {})[listener] = None
        self._changed()

    def unsubscribe(self, listener: Listener, name: str) -> None:
        heard = self.listeners.get(name)
        if heard is None:
            return
        heard.pop(listener, None)
        if not heard:
            del self.listeners[name], self.served[name]
        self._changed()

    def leave(self, listener: Listener) -> None:
        for name in list(self.listeners):
            self.unsubscribe(listener, name)

    def publish(self, name: str, make: Callable[[int], bytes]) -> None:
        """Send `make(time unit in ns)` to all who listen to `name`, made once per unit and form."""
        heard = self.listeners.get(name)
        stream = self.served.get(name)
        if not heard or stream is None or stream.symbol in self.conditions.hidden:
            return
        made: dict[tuple[int, bool], bytes] = {}
        for listener in heard:
            form = listener.unit_ns, listener.combined
            message = made.get(form)
            if message is None:
                message = self.conditions.dressed(stream.symbol, make(listener.unit_ns), listener.unit_ns)
                message = made[form] = envelope(name, message) if listener.combined else message
            listener.push(message, stream)
            self.frames[name] += 1

    def backlog_bytes(self) -> int:
        """Bytes waiting for the slowest connection."""
        return max((one.backlog_bytes for heard in self.listeners.values() for one in heard), default=0)

    def _changed(self) -> None:
        for tell in self.on_change:
            tell()
