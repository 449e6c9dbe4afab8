"""Faults of the market and of the clock that are in force: what is hidden, shifted, skewed, stormy."""

from .damage import shifted_ids, skewed
from .ledger import Strike

STORM_ORDERS_MAX = 20_000  # added to one step
FOR_GOOD = float("inf")


class Conditions:
    """They change what is printed and what the simulated market does, never what the exchange knows.

    hidden    symbol → "gone" (no such symbol) or "BREAK" (listed, silent)
    id_shift  symbol → how much smaller its update ids are printed
    skew_ns   added to every printed time
    """

    def __init__(self) -> None:
        self.hidden: dict[str, str] = {}
        self.id_shift: dict[str, int] = {}
        self.skew_ns = 0
        self._bursts: dict[str, int] = {}
        self._storms: dict[str, tuple[int, float]] = {}  # symbol → factor, end
        self._relisted: dict[str, float] = {}
        self._skewed_until_s = FOR_GOOD

    def begin(self, strike: Strike) -> None:
        """Put a strike of the market or the clock in force."""
        values, symbol = strike.values, strike.symbol
        end_s = strike.at_s + float(values.get("duration_s") or FOR_GOOD)
        match strike.kind.name:
            case "burst":
                self._bursts[symbol] = self._bursts.get(symbol, 0) + int(values["orders"])
            case "storm":
                self._storms[symbol] = int(values["factor"]), end_s
            case "ids-back":
                self.id_shift[symbol] = self.id_shift.get(symbol, 0) + int(values["updates"])
            case "delisted":
                self.hidden[symbol], self._relisted[symbol] = str(values["status"]), end_s
            case "listed":
                self.hidden.pop(symbol, None)
            case "clock-skew":
                self.skew_ns, self._skewed_until_s = int(float(values["skew_s"]) * 1e9), end_s

    def expire(self, now_s: float) -> None:
        """End what has lasted long enough."""
        for symbol in [symbol for symbol, end_s in self._relisted.items() if now_s >= end_s]:
            del self._relisted[symbol]
            self.hidden.pop(symbol, None)
        for symbol in [symbol for symbol, (_, end_s) in self._storms.items() if now_s >= end_s]:
            del self._storms[symbol]
        if now_s >= self._skewed_until_s:
            self.skew_ns, self._skewed_until_s = 0, FOR_GOOD

    def take_burst(self, symbol: str, usual: float = 0.0) -> int:
        """Orders to add to the symbol's next step, which brings `usual` by itself."""
        orders = self._bursts.pop(symbol, 0)
        if symbol in self._storms:
            orders += min(int((self._storms[symbol][0] - 1) * usual), STORM_ORDERS_MAX)
        return orders

    def dressed(self, symbol: str, payload: bytes, unit_ns: int) -> bytes:
        """A payload with ids and times as they are to be printed; the same object when nothing is in force."""
        shift = self.id_shift.get(symbol, 0)
        if shift:
            payload = shifted_ids(payload, shift)
        return skewed(payload, self.skew_ns // unit_ns) if self.skew_ns else payload

    def true_id(self, symbol: str, printed_id: int) -> int:
        """The market's own number of an update id printed since the last jump."""
        return printed_id + self.id_shift.get(symbol, 0)
