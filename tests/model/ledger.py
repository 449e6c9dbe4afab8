"""The plainest ledger: a list of every outage there ever was, the newest of which are still to be seen."""

from ringbook.engine.layout import CAUSE_UNSUBSCRIBED, LEDGER_ROWS, LIVE, STALE


class LedgerModel:
    """Outages as dicts, in the order in which they began."""

    def __init__(self, symbols: int) -> None:
        self.health = [0] * symbols
        self.open: dict[int, dict] = {}
        self.outages: list[dict] = []

    def change(self, symbol_id: int, health: int, cause: int, now_ns: int, ids_missed: int) -> None:
        """A symbol's health changed."""
        old, self.health[symbol_id] = self.health[symbol_id], health
        outage = self.open.get(symbol_id)
        if outage is None:
            if old == LIVE and health != LIVE and cause != CAUSE_UNSUBSCRIBED:
                outage = {
                    "number": len(self.outages) + 1, "symbol_id": symbol_id, "begin_ns": now_ns, "end_ns": 0,
                    "cause": cause, "last_cause": cause, "health": health, "ids_missed": ids_missed, "blind_ns": 0,
                }  # fmt: skip
                self.outages.append(outage)
                self.open[symbol_id] = outage
            return
        outage["ids_missed"] += ids_missed
        if health == LIVE or cause == CAUSE_UNSUBSCRIBED:
            outage["blind_ns"] = max(0, now_ns - outage["begin_ns"])
            outage["end_ns"] = outage["begin_ns"] + outage["blind_ns"]
            del self.open[symbol_id]
        elif health >= STALE:
            outage["last_cause"], outage["health"] = cause, max(outage["health"], health)

    @property
    def shown(self) -> list[dict]:
        """What the ledger still holds."""
        return self.outages[-LEDGER_ROWS:]
