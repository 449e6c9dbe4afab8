"""The bytes of one connection on their way out. No socket: payloads and time go in, TCP segments come out.

line = Line()
line.offer(faults, "btcusdt@depth", "BTCUSDT", payload, connection=1)
for segment in line.take(faults.now_s): ...         # each is one write
line.next_s                                         # when to call `take` again; None: nothing waits
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from .damage import TEXT, chopped, flipped, fragments, framed, misframed, truncated
from .injector import Faults
from .ledger import Strike

HOLD_S = 1.0  # a frame that waits for others waits no longer
WRITES_PER_S = 50  # of a line that dribbles
FOR_GOOD = float("inf")


@dataclass
class Held:
    """Bytes that wait until `frames` others have gone, or until `deadline_s`."""

    wire: bytes
    frames: int
    deadline_s: float


class Line:
    """Everything between the exchange's frames and one socket: order, time, segments and damage."""

    def __init__(self) -> None:
        self.waiting_bytes = 0
        self.frozen = False  # half-open: what comes is dropped
        self._pieces: deque[tuple[float, bytes]] = deque()  # due, segment; due never falls
        self._ready_s = 0.0
        self._overtaken: list[Held] = []
        self._group: Held | None = None  # frames that go in one segment
        self._mute_until_s: dict[str, float] = {}
        self._bytes_per_s, self._slow_until_s = 0, 0.0

    @property
    def busy(self) -> bool:
        """Whether whole frames written elsewhere would now overtake or break what is on the line."""
        return bool(self.frozen or self._pieces or self._overtaken or self._group or self._bytes_per_s)

    @property
    def idle(self) -> bool:
        """Whether a frame may be written past the line as it is."""
        return not self.busy and not self._mute_until_s

    @property
    def next_s(self) -> float | None:
        """When something is due."""
        if self.frozen:
            return None
        held = [*self._overtaken, *([self._group] if self._group else [])]
        times = [one.deadline_s for one in held] + [due_s for due_s, _ in list(self._pieces)[:1]]
        return min(times, default=None)

    # -------------------------------------------------------------- in
    def offer(
        self, faults: Faults, stream: str, symbol: str, payload: bytes, connection: int = 0
    ) -> list[Strike]:
        """Put one market-data frame on the line, with whatever strikes it."""
        now_s = faults.now_s
        if self.frozen or now_s < self._mute_until_s.get(stream, 0.0):
            return []
        strikes = faults.frame(stream, symbol, payload, connection)
        self.put(payload, strikes, now_s)
        return strikes

    def put(self, payload: bytes, strikes: Iterable[Strike], now_s: float, opcode: int = TEXT) -> None:
        """Put a message on the line, damaged by `strikes`."""
        by_name = {strike.kind.name: strike for strike in strikes}
        mute = by_name.get("mute")
        if mute:
            self._mute_until_s[mute.stream] = now_s + float(mute.values["duration_s"] or FOR_GOOD)
        if self.frozen or mute or "lost" in by_name:
            return
        wire = wire_of(payload, by_name, opcode)
        late = by_name.get("reordered")
        if late:
            self._overtaken.append(Held(wire, int(late.values["places"]), now_s + HOLD_S))
            self.waiting_bytes += len(wire)
            return
        self._send(wire, by_name, now_s)
        for held in list(self._overtaken):
            held.frames -= 1
            if held.frames <= 0:
                self._release(held, now_s)

    def begin(self, strike: Strike) -> None:
        """Put a strike on the whole connection in force: slow-frames or half-open."""
        if strike.kind.name == "slow-frames":
            self._bytes_per_s = int(strike.values["bytes_per_s"])
            self._slow_until_s = strike.at_s + float(strike.values["duration_s"] or FOR_GOOD)
        elif strike.kind.name == "half-open":
            self.frozen = True
            self._pieces.clear()
            self._overtaken.clear()
            self._group, self.waiting_bytes = None, 0

    # -------------------------------------------------------------- on the way
    def _release(self, held: Held, now_s: float) -> None:
        self._overtaken.remove(held)
        self.waiting_bytes -= len(held.wire)
        self._send(held.wire, {}, now_s)

    def _send(self, wire: bytes, by_name: dict[str, Strike], now_s: float) -> None:
        if "delayed" in by_name:
            self._ready_s = max(self._ready_s, now_s) + float(by_name["delayed"].values["delay_s"])
        if self._group:
            self._group.wire += wire
            self._group.frames -= 1
            self.waiting_bytes += len(wire)
            if self._group.frames <= 0:
                self._close_group(now_s)
        elif "merged" in by_name:
            self._group = Held(wire, int(by_name["merged"].values["frames"]) - 1, now_s + HOLD_S)
            self.waiting_bytes += len(wire)
        elif "segmented" in by_name:
            values = by_name["segmented"].values
            self._write(chopped(wire, int(values["bytes"])), float(values["gap_s"]), now_s)
        else:
            self._write([wire], 0.0, now_s)

    def _close_group(self, now_s: float) -> None:
        assert self._group is not None
        wire, self._group = self._group.wire, None
        self.waiting_bytes -= len(wire)
        self._write([wire], 0.0, now_s)

    def _write(self, segments: list[bytes], gap_s: float, now_s: float) -> None:
        if self._bytes_per_s and now_s >= self._slow_until_s:
            self._bytes_per_s = 0
        if self._bytes_per_s and not gap_s:
            size = max(1, self._bytes_per_s // WRITES_PER_S)
            segments, gap_s = chopped(b"".join(segments), size), size / self._bytes_per_s
        due_s = max(self._ready_s, now_s)
        for segment in segments:
            self._pieces.append((due_s, segment))
            self.waiting_bytes += len(segment)
            due_s += gap_s
        self._ready_s = due_s

    # -------------------------------------------------------------- out
    def take(self, now_s: float) -> list[bytes]:
        """Segments that are due, in order."""
        for held in [held for held in self._overtaken if now_s >= held.deadline_s]:
            self._release(held, now_s)
        if self._group and now_s >= self._group.deadline_s:
            self._close_group(now_s)
        if self._bytes_per_s and now_s >= self._slow_until_s and not self._pieces:
            self._bytes_per_s = 0
        due = []
        while self._pieces and self._pieces[0][0] <= now_s:
            due.append(self._pieces.popleft()[1])
        self.waiting_bytes -= sum(map(len, due))
        return due


def wire_of(payload: bytes, by_name: dict[str, Strike], opcode: int = TEXT) -> bytes:
    """One message as bytes on the wire, with the damage that needs no time."""
    for name in ("truncated", "corrupted"):
        strike = by_name.get(name)
        if strike and name == "truncated":
            payload = truncated(payload, float(strike.values["keep"]))
        elif strike:
            payload = flipped(payload, int(strike.values["bits"]), strike.random())
    if "misframed" in by_name:
        strike = by_name["misframed"]
        wire = misframed(payload, str(strike.values["how"]), strike.random())
    elif "fragmented" in by_name:
        wire = b"".join(fragments(payload, int(by_name["fragmented"].values["pieces"])))
    else:
        wire = framed(payload, opcode)
    copies = int(by_name["duplicated"].values["copies"]) if "duplicated" in by_name else 0
    return wire * (1 + copies)
