"""Inputs worth keeping: those that reach a branch no other kept input reaches, and whatever was wrong once."""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from .targets import Target

FOLDER = Path(__file__).with_name("corpus")
MAX_INPUT_BYTES = 1024
MANY = 3  # passes of one branch that count as different: once, twice, more often
Failure = tuple[str, str, int]  # type, file, line: findings alike in these are one


def read(target: str, folder: Path = FOLDER) -> dict[str, bytes]:
    """Name → input."""
    return {path.name: path.read_bytes() for path in sorted((folder / target).glob("[!.]*"))}


def write(target: str, data: bytes, folder: Path = FOLDER) -> Path:
    """Keep an input under a name made of its content."""
    place = folder / target / hashlib.sha256(data).hexdigest()[:16]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


# ---------------------------------------------------------------- what an input reaches
class Watch:
    """Counts the steps from line to line inside some functions."""

    def __init__(self, target: Target) -> None:
        self.codes: dict[CodeType, int] = {one.__code__: at for at, one in enumerate(target.watched)}
        self.judge, self.steps = target.judge, {}  # type: tuple[Callable, dict[tuple, int]]

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Callable | None:
        number = self.codes.get(frame.f_code)
        if number is None:
            return None
        last = 0

        def step(inner: FrameType, event: str, argument: Any) -> Callable:
            nonlocal last
            key = (number, last, inner.f_lineno)
            self.steps[key] = self.steps.get(key, 0) + 1
            last = inner.f_lineno
            return step

        return step

    def reached(self, data: bytes) -> set[tuple]:
        """Steps and how often: once, twice or more; what the judge says is left to others."""
        self.steps = {}
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            self.judge(data)
        except Exception:
            pass
        finally:
            sys.settrace(before)
        return {(*key, min(count, MANY)) for key, count in self.steps.items()}


def distinct(target: Target, inputs: Iterable[bytes]) -> Iterator[bytes]:
    """The inputs, short ones first, that reach what none before them did."""
    watch, seen = Watch(target), set()
    for data in sorted(set(inputs), key=lambda one: (len(one), one)):
        new = watch.reached(data) - seen
        if new:
            seen |= new
            yield data


# ---------------------------------------------------------------- what went wrong
def failure_of(target: Target, data: bytes) -> Failure | None:
    """How the judge fails on an input; None when all agree."""
    try:
        target.judge(data)
    except Exception as error:
        place = error.__traceback__
        while place and place.tb_next:
            place = place.tb_next
        assert place
        return type(error).__name__, place.tb_frame.f_code.co_filename, place.tb_lineno
    return None


def minimised(target: Target, data: bytes, failure: Failure) -> bytes:
    """The input without every part it can lose and still fail in the same place."""
    size = len(data) // 2
    while size:
        at, step = 0, max(1, size // 8)
        while at + size <= len(data):
            shorter = data[:at] + data[at + size :]
            if failure_of(target, shorter) == failure:
                data = shorter
            else:
                at += step
        size = min(size - 1, len(data)) if size <= 16 else size // 2
    return data
