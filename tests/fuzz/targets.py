"""What an input is held against: each target runs twin, machine code and oracle, and raises where they differ.

An input's first byte chooses the circumstances, the rest is what the kernel reads.
"""

from collections.abc import Callable
from types import FunctionType

import numpy as np

from ringbook.engine import layout, slow, units
from ringbook.engine.instruments import from_steps
from ringbook.engine.kernels import frames
from ringbook.io import rescale

from ..model import decode as model
from ..model import frames as framing
from ..scanning import INSTRUMENTS, NAMES, POISONS, TABLE
from .twins import COMPILED, Bytes, Mutant, TightScanner, TwinScanner, decode_room, frames_room, functions_of

MAX_BYTES = 300
STATUS = {frames.FRAME_MORE: "more", frames.FRAME_BAD: "bad", frames.FRAME_TOO_BIG: "too big"}


class Target:
    """One question.

    judge(data)  raises when an answer is wrong
    watched      functions whose branches guide the search
    """

    def __init__(self, judge: Callable[[bytes], None], watched: list[FunctionType]) -> None:
        self.judge, self.watched = judge, watched


# ---------------------------------------------------------------- framing
def split(data: bytes, next_frame: Callable, wrap: Callable) -> tuple[list, str, bytes]:
    """The kernel in a loop, in the shape of the model's answer; the buffer ends with the data."""
    buf, found, at = wrap(data), [], 0
    while True:
        status, start, length, tag = map(int, next_frame(buf, at, len(data), MAX_BYTES))
        if status in STATUS:
            assert status != frames.FRAME_MORE or start > len(data) - at, f"{start} bytes were there already"
            return found, STATUS[status], data[at:]
        assert at < start <= start + length <= len(data)
        found.append(framing.Frame(tag & 15, data[start : start + length], bool(tag >> 7)))
        whole = tag >> 7 and tag & 15 in (frames.OP_TEXT, frames.OP_BINARY)
        kind = frames.FRAME_MESSAGE if whole else frames.FRAME_FRAGMENT
        assert status == (frames.FRAME_CONTROL if tag & 8 else kind)
        at = start + length


def frames_target(mutate: Mutant = None) -> Target:
    """Bytes of a connection; the first byte cuts them where a read might have ended."""
    room = frames_room(mutate)

    def judge(data: bytes) -> None:
        cut, stream = data[:1], data[1:]
        for piece in (stream, stream[: cut[0] if cut else 0]):
            expected = framing.parse(piece, MAX_BYTES)
            with np.errstate(over="ignore"):
                assert split(piece, room.next_frame, Bytes) == expected
            compiled = split(piece, frames.next_frame, lambda read: np.frombuffer(read, np.uint8))
            assert compiled == expected

    return Target(judge, functions_of(room))


# ---------------------------------------------------------------- scanners
def _agree(twin: TightScanner, code: int, compiled_code: int, expected: model.Expected, data: bytes) -> None:
    twin.check(code, expected, data)
    COMPILED.check(compiled_code, expected, data)
    assert code == compiled_code
    assert int(twin.frame["error_at"][0]) == int(COMPILED.frame["error_at"][0])


def decode_target(mutate: Mutant = None) -> Target:
    """A websocket message; the first byte chooses what lies in the padding behind it."""
    room = decode_room(mutate)
    twin = TwinScanner(room)

    def judge(data: bytes) -> None:
        poison, text = POISONS[data[0] % len(POISONS) if data else 0], data[1:]
        expected = model.expect(text, NAMES, INSTRUMENTS)
        _agree(twin, twin.scan(text, poison), COMPILED.scan(text, poison), expected, text)

    return Target(judge, functions_of(room))


def snapshot_target(mutate: Mutant = None) -> Target:
    """The body of a REST depth reply; the first byte chooses symbol and padding, once a symbol nobody has."""
    room = decode_room(mutate)
    twin = TwinScanner(room)

    def judge(data: bytes) -> None:
        chosen, text = data[0] if data else 0, data[1:]
        poison, symbol_id = POISONS[chosen >> 4 & 7], (chosen & 15) - 1
        code = twin.scan_snapshot(text, symbol_id, poison)
        compiled_code = COMPILED.scan_snapshot(text, symbol_id, poison)
        if 0 <= symbol_id < len(INSTRUMENTS):
            expected = model.expect_snapshot(text, symbol_id, INSTRUMENTS)
            _agree(twin, code, compiled_code, expected, text)
        else:
            assert code == compiled_code == layout.UNKNOWN_SYMBOL

    return Target(judge, functions_of(room))


# ---------------------------------------------------------------- the general path
FAULTS = {layout.MALFORMED, layout.OFF_GRID, layout.OVERFLOW, layout.TOO_MANY_LEVELS, layout.UNKNOWN_SYMBOL}
FAULTS |= {layout.NOT_MARKET_DATA}
FINER = {layout.OFF_GRID, layout.OVERFLOW, layout.NEEDS_SLOW_PATH}
RESCALED = from_steps(b"BTCUSDT", "0.01", "0.00000001")


def slow_target(mutate: Mutant = None) -> Target:
    """Any message on the general path: it may refuse but never raise, and decodes what a scanner decodes."""
    seen = TightScanner()
    path = slow.SlowPath(NAMES, TABLE.copy(), seen.frame, seen.rows)
    watched = [*_methods(slow.SlowPath), *_plain_functions(slow, units, rescale)]

    def judge(data: bytes) -> None:
        text = data[1:]
        expected = model.expect(text, NAMES, INSTRUMENTS)
        seen.place(b"", b"9")
        outcome = path.decode(text)
        rescale.finer(RESCALED, text)
        rescale.fits(RESCALED, text)
        if isinstance(outcome, slow.Rejected):
            assert outcome.code in FAULTS and outcome.reason
            if outcome.code == layout.OFF_GRID:  # a feed answers this by another scale
                assert expected.codes & FINER, (outcome, text[:300])
        if expected.codes == {layout.DECODED}:
            assert outcome is None, (outcome, text[:300])
            assert seen.answer() == (expected.frame, expected.rows), text[:300]

    return Target(judge, watched)


def _methods(owner: type) -> list[FunctionType]:
    found = [one.__func__ if isinstance(one, staticmethod) else one for one in vars(owner).values()]
    return [one for one in found if isinstance(one, FunctionType)]


def _plain_functions(*modules: object) -> list[FunctionType]:
    return [
        one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, FunctionType) and one.__module__ == vars(module)["__name__"]
    ]


TARGETS: dict[str, Callable[[Mutant], Target]] = {
    "frames": frames_target,
    "decode": decode_target,
    "snapshot": snapshot_target,
    "slow": slow_target,
}
