"""From market steps to frames: what each stream of the simulated market sends, and when."""

from collections.abc import Iterable
from functools import partial

from .faults.injector import Faults
from .ladder import ASK, BID, key_of
from .market import Market, SymbolMarket
from .matching import Change, Step
from .streams import Hub, Stream
from .wire import Diff, Printer


class DepthFeed:
    """The diff of one depth stream: changes gathered since its last frame, the latest per level."""

    def __init__(self, last_id: int, due_ns: int) -> None:
        self.changed: tuple[dict[int, int], dict[int, int]] = ({}, {})  # key → lots
        self.first_id = 0
        self.last_id = last_id
        self.prev_id = last_id
        self.due_ns = due_ns

    def add(self, changes: Iterable[Change]) -> None:
        for update_id, side, price, lots in changes:
            self.first_id = self.first_id or update_id
            self.last_id = update_id
            self.changed[side][key_of(side, price)] = lots

    def take(self) -> Diff | None:
        """What changed since the last call, or None."""
        if not self.first_id:
            return None
        bids, asks = self.changed
        diff = Diff(
            self.first_id, self.last_id, self.prev_id,
            [(-key, bids[key]) for key in sorted(bids)],
            [(key, asks[key]) for key in sorted(asks)],
        )  # fmt: skip
        self.changed, self.first_id, self.prev_id = ({}, {}), 0, self.last_id
        return diff


class Feeds:
    """Turns the market's steps into frames on the hub. Time comes in; nothing here reads a clock."""

    def __init__(self, market: Market, hub: Hub, faults: Faults, usdm: bool) -> None:
        self.market, self.hub, self.faults = market, hub, faults
        self.printers = {s: Printer(one.instrument, usdm) for s, one in market.symbols.items()}
        self._feeds: dict[str, DepthFeed] = {}
        hub.on_change.append(self._follow)

    def _follow(self) -> None:
        """Keep one feed per listened depth stream; a feed starts at the book as it is now."""
        served = self.hub.served
        for name in [name for name in self._feeds if name not in served]:
            del self._feeds[name]
        for name, stream in served.items():
            if stream.kind in ("depth", "partial") and name not in self._feeds:
                self._feeds[name] = DepthFeed(self.market.symbols[stream.symbol].history.last_id, 0)

    def refine(self, symbol: str, digits: int) -> None:
        """Give the symbol a price grid 10^digits times finer; nothing gathered is lost."""
        one, factor = self.market.symbols[symbol], 10**digits
        one.refine(digits)
        self.printers[symbol] = Printer(one.instrument, self.printers[symbol].usdm)
        for name, feed in self._feeds.items():
            if self.hub.served[name].symbol == symbol:
                bids, asks = ({key * factor: lots for key, lots in side.items()} for side in feed.changed)
                feed.changed = bids, asks

    def publish(self, steps: dict[str, Step], now_ns: int, market_ns: int) -> None:
        """Send what `steps` brought. `now_ns` is printed, `market_ns` paces the depth streams."""
        for symbol, step in steps.items():
            self._publish_at_once(symbol, step, now_ns)
        for name, feed in self._feeds.items():
            stream = self.hub.served[name]
            if stream.symbol in steps:
                feed.add(steps[stream.symbol].changes)
            if market_ns >= feed.due_ns:
                interval_ns = stream.interval_ms * 1_000_000
                feed.due_ns = max(feed.due_ns + interval_ns, market_ns + interval_ns // 2)
                self._publish_depth(stream, feed, now_ns)

    def _publish_at_once(self, symbol: str, step: Step, now_ns: int) -> None:
        printer, lower = self.printers[symbol], symbol.lower()
        publish, listeners = self.hub.publish, self.hub.listeners
        if f"{lower}@trade" in listeners:
            for trade in step.trades:
                publish(f"{lower}@trade", partial(printer.trade, trade, now_ns))
        if f"{lower}@aggTrade" in listeners:
            for agg in step.agg_trades:
                publish(f"{lower}@aggTrade", partial(printer.agg_trade, agg, now_ns))
        if step.ticker is not None:
            publish(f"{lower}@bookTicker", partial(printer.book_ticker, step.ticker, now_ns))

    def _publish_depth(self, stream: Stream, feed: DepthFeed, now_ns: int) -> None:
        diff = feed.take()
        if diff is None:
            return
        printer = self.printers[stream.symbol]
        if stream.kind == "partial":
            top = image(self.market.symbols[stream.symbol], stream.levels, diff)
            self.hub.publish(stream.name, partial(printer.partial, top, now_ns))
        elif not self.faults.swallows_diff(stream.symbol, diff.first_id, diff.last_id):
            self.hub.publish(stream.name, partial(printer.diff, diff, now_ns))


def image(one: SymbolMarket, levels: int, diff: Diff) -> Diff:
    """The best `levels` of both sides, with the ids of the changes since the last image."""
    return diff._replace(bids=one.book.top(BID, levels), asks=one.book.top(ASK, levels))
