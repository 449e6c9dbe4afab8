"""The plainest merge: a list per bus, looked through from the start at every step."""

from dataclasses import dataclass, field

from ringbook.engine.layout import READ_EARLY, READ_OK


@dataclass
class BusModel:
    """Everything ever published on one bus, as receive times; record n has index n."""

    slots: int
    published: list[int] = field(default_factory=list)
    expected: int = 0
    lost: int = 0
    late: int = 0
    held: tuple[int, int, int] | None = None  # recv_ns, index, clock when taken up
    gone: bool = False

    def take_up(self, now_ns: int) -> None:
        """Hold the next record; a lapped reader goes on at the newest."""
        if self.held is not None or self.expected == len(self.published):
            return
        newest = len(self.published) - 1
        if newest - self.expected >= self.slots:
            self.lost += newest - self.expected
            self.expected = newest
        self.held = (self.published[self.expected], self.expected, now_ns)
        self.expected += 1


class MergeModel:
    """Hands out (bus, index) in the order that a window allows."""

    def __init__(self, buses: int, slots: int, window_ns: int) -> None:
        self.buses = [BusModel(slots) for _ in range(buses)]
        self.window_ns, self.handed = window_ns, []

    def has_waited(self, held: tuple[int, int, int], now_ns: int) -> bool:
        """Whether a record waited long enough for buses that show nothing."""
        recv_ns, _, taken_ns = held
        if now_ns < taken_ns or now_ns - taken_ns >= self.window_ns:
            return True
        return recv_ns <= now_ns and now_ns - recv_ns >= self.window_ns

    def next(self, now_ns: int) -> tuple[int, int, int]:
        """READ_OK, bus, index; or READ_EARLY, -1, -1."""
        for bus in self.buses:
            bus.take_up(now_ns)
        ready = sorted((bus.held[0], number) for number, bus in enumerate(self.buses) if bus.held)
        if not ready:
            return READ_EARLY, -1, -1
        recv_ns, number = ready[0]
        chosen = self.buses[number]
        is_late = any(recv_ns < other for other in self.handed)
        all_show = all(bus.held or bus.gone for bus in self.buses)
        if not (is_late or all_show or self.has_waited(chosen.held, now_ns)):
            return READ_EARLY, -1, -1
        index = chosen.held[1]
        chosen.held, chosen.late = None, chosen.late + is_late
        self.handed.append(recv_ns)
        return READ_OK, number, index
