"""Ready websocket frames for the flood: built once, renumbered between passes."""

import struct
from dataclasses import dataclass

import numpy as np

from .instruments import SPOT_SHAPE, Instrument, catalogue, typical_sizes
from .ladder import ASK, BID, Ladder, key_of
from .wire import Diff, Printer, envelope

FIRST_ID = 100_000_000_000  # twelve digits, for longer than any run lasts
IDS_PER_MESSAGE = 20
ID_DIGITS, TIME_DIGITS = 12, 13
LEVELS_MAX = 200
GRID_BITS = 9  # 256 prices in each doubling of the distance
ANY_TIME_NS = 10**18  # printed with the thirteen digits that are rewritten later
FOUR_DIGITS = np.frombuffer(b"".join(b"%04d" % n for n in range(10_000)), np.uint8).reshape(-1, 4)


@dataclass
class Buffer:
    """Framed messages in one array, and where in it their ids and times are printed.

    data       uint8, the frames one after another
    starts     int64, where each begins; its last entry is where all end
    fields     for U, u and E: int64 offsets of their first digit, one per message
    book       the book after a whole pass; `base` the book before the first
    """

    data: np.ndarray
    starts: np.ndarray
    fields: dict[str, np.ndarray]
    base: Ladder
    book: Ladder
    printer: Printer

    @property
    def messages(self) -> int:
        return len(self.fields["u"])

    def stamp(self, first_id: int, now_ms: int) -> int:
        """Number the messages from `first_id` on; returns the id after the last."""
        starts = first_id + IDS_PER_MESSAGE * np.arange(self.messages, dtype=np.int64)
        self._print("U", starts, ID_DIGITS)
        self._print("u", starts + IDS_PER_MESSAGE - 1, ID_DIGITS)
        self._print("E", np.array([now_ms]), TIME_DIGITS)
        return first_id + IDS_PER_MESSAGE * self.messages

    def _print(self, name: str, values: np.ndarray, digits: int) -> None:
        text = f"V{digits}"  # at every byte of the data, whole numbers are written: one copy a message
        anywhere = np.ndarray(len(self.data) - digits, text, self.data, strides=(1,))
        anywhere[self.fields[name]] = np.ascontiguousarray(printed(values, digits)).view(text)[:, 0]


def printed(values: np.ndarray, digits: int) -> np.ndarray:
    """uint8[len(values), digits]: each number in so many decimal digits, four at a time out of a table."""
    groups, rest = [], values
    for _ in range(-(-digits // 4)):
        rest, low = np.divmod(rest, 10_000)
        groups.append(FOUR_DIGITS[low])
    return np.concatenate(groups[::-1], axis=1)[:, -digits:]


def build(size_bytes: int, levels: int, symbol: str, stream: str, seed: int = 1) -> Buffer:
    """About `size_bytes` of frames with `levels` (1..LEVELS_MAX) changed levels a side, as spot flow has."""
    if not 1 <= levels <= LEVELS_MAX:
        raise ValueError(f"levels was {levels}, expected 1..{LEVELS_MAX} a side")
    instrument, rng = catalogue("spot")[symbol], np.random.default_rng(seed)
    printer, mid = Printer(instrument, usdm=False), instrument.start_tick
    base = Ladder()
    for side in (BID, ASK):
        for lots, away in zip(typical_sizes(instrument, rng, 2_500), range(2_500), strict=True):
            base.set(side, key_of(side, price_at(side, mid, away)), lots)
    book, data, size = base.copy(), [], 0
    fields: dict[str, list[int]] = {"U": [], "u": [], "E": []}
    while size < size_bytes:
        rows = [changed_levels(instrument, side, levels, rng) for side in (BID, ASK)]
        for side in (BID, ASK):
            book.apply((side, price, lots) for price, lots in rows[side])
        diff = Diff(FIRST_ID, FIRST_ID, 0, rows[BID], rows[ASK])
        text = envelope(stream, printer.diff(diff, ANY_TIME_NS, 1_000_000))
        frame = framed(text)
        for name, places in fields.items():
            places.append(size + frame.index(b'"%s":' % name.encode()) + len(name) + 3)
        data.append(frame)
        size += len(frame)
    offsets = {name: np.array(places, np.int64) for name, places in fields.items()}
    starts = np.cumsum([0, *map(len, data)])
    return Buffer(np.frombuffer(bytearray(b"".join(data)), np.uint8), starts, offsets, base, book, printer)


def changed_levels(
    instrument: Instrument, side: int, levels: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Distinct levels of one side, best first, nearly half of them deleted.

    The touch itself is never changed: so it stays, and bids and asks never meet, in whatever order.
    """
    keys: set[int] = set()
    while len(keys) < levels:
        drawn = np.interp(rng.random(levels), SPOT_SHAPE.quantiles, SPOT_SHAPE.distances).astype(np.int64)
        away = (on_few_prices(distance + 1) for distance in drawn.tolist())
        keys.update(key_of(side, price_at(side, instrument.start_tick, ticks)) for ticks in away)
    chosen = sorted(keys)[:levels]
    sizes = typical_sizes(instrument, rng, levels)
    deletes = (rng.random(levels) < SPOT_SHAPE.delete_share).tolist()
    return [(key_of(side, k), 0 if gone else q) for k, q, gone in zip(chosen, sizes, deletes, strict=True)]


def on_few_prices(ticks: int) -> int:
    """The distance on a grid that widens with it, so that a book holds thousands of levels, not more."""
    shift = max(0, ticks.bit_length() - GRID_BITS)
    return ticks >> shift << shift


def price_at(side: int, mid: int, away: int) -> int:
    """Price of a level by its distance from the middle."""
    return mid + 1 + away if side == ASK else max(1, mid - away)


def framed(text: bytes) -> bytes:
    """One unmasked, final websocket text frame."""
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 1 << 16:
        return b"\x81\x7e" + struct.pack("!H", size) + text
    return b"\x81\x7f" + struct.pack("!Q", size) + text
