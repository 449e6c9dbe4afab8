"""Faults injected on request. Each kind is one entry of FAULTS: its name, what it does, who does it."""

from collections import Counter
from collections.abc import Callable


class FaultError(ValueError):
    """A fault request that cannot be carried out; the message says what was expected."""


class Faults:
    """Faults waiting to strike, and how many of each kind have struck."""

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols
        self.struck: Counter[str] = Counter()
        self._gaps: Counter[str] = Counter()
        self._bursts: Counter[str] = Counter()

    def inject(self, request: object) -> str:
        """Accept a request such as {"kind": "gap", "symbol": "BTCUSDT"}; tells what will happen."""
        if not isinstance(request, dict):
            raise FaultError(f"a fault was {request!r}, expected an object with kind and symbol")
        kind = request.get("kind")
        if kind not in FAULTS:
            raise FaultError(f"fault kind was {kind!r}, expected one of {', '.join(FAULTS)}")
        symbol = request.get("symbol")
        if symbol not in self.symbols:
            raise FaultError(f"symbol was {symbol!r}, expected one of {', '.join(self.symbols)}")
        count = request.get("count", FAULTS[kind].default_count)
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 100_000:
            raise FaultError(f"count was {count!r}, expected a whole number in 1..100000")
        FAULTS[kind].inject(self, symbol, count)
        return FAULTS[kind].effect

    def swallows_diff(self, symbol: str) -> bool:
        """Whether the diff frame about to be sent is lost."""
        if not self._gaps[symbol]:
            return False
        self._gaps[symbol] -= 1
        self.struck["gap"] += 1
        return True

    def take_burst(self, symbol: str) -> int:
        """Orders to add to the symbol's next step."""
        orders = self._bursts.pop(symbol, 0)
        if orders:
            self.struck["burst"] += 1
        return orders

    def _gap(self, symbol: str, count: int) -> None:
        self._gaps[symbol] += count

    def _burst(self, symbol: str, count: int) -> None:
        self._bursts[symbol] += count


class Fault:
    """One kind of fault, as `ringbook exchange --help` lists it."""

    def __init__(self, effect: str, inject: Callable[[Faults, str, int], None], default_count: int) -> None:
        self.effect, self.inject, self.default_count = effect, inject, default_count


FAULTS = {
    "gap": Fault("the symbol's next `count` diff frames are not sent", Faults._gap, 1),
    "burst": Fault("`count` orders arrive at once", Faults._burst, 2_000),
}
