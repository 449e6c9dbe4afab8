"""The blind hunt: compiled kernels under wounded input at full speed, every buffer against a forbidden page.

The hunt runs in a child, as an over-read kills it. The parent learns from a shared file how far it came, and the
same seed leads there again: an iteration depends on the seed and its number, and the bus is put back to its
first state at the begin of every block.
"""

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numba.core.errors import NumbaExperimentalFeatureWarning

from ringbook.engine import jit, layout
from ringbook.engine.kernels import frames, snapshot
from ringbook.engine.kernels.book_check import check_book

from ..hostile import BOOK_LEVELS, Rig
from ..model.frames import Frame, encode
from ..scanning import POISONS, ROUTES, TABLE
from ..test_frame_sources import SNAPSHOT
from . import corpus, drive, mutants, pointers, wounds
from .guarded import PAGE, at_end, at_start, guarded_bytes
from .seeds import SEEDS
from .twins import PADDING_BYTES

BLOCK = 1 << 16  # iterations after which the bus begins anew
ROWS = 8  # levels a side: too few for some messages
MEMORY_BYTES = 2 * PAGE
WHOLE = 8  # good messages come so much more often than what the corpus has of each
SLACK_SECONDS = 300.0
DIFFS = [  # for the books of the rig, which stand at 10
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":11,"u":12,'
    b'"b":[["99.50","1.00"],["99.40","0"]],"a":[["100.70","3"]]}}',
    b'{"stream":"ethusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"ETHUSDT","U":9,"u":1500,'
    b'"b":[["1","1"],["2","2"],["3","3"],["4","0"]],"a":[["5","4.01"],["6","1"]]}}',
    b'{"stream":"btcusdt@depth20@100ms","data":{"lastUpdateId":99,"bids":[["9","1"]],"asks":[["10","2"]]}}',
]


def stacked(inputs: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs one behind the other, and where each begins."""
    bounds = np.cumsum([0, *map(len, inputs)], dtype=np.int64)
    return np.frombuffer(b"".join(inputs), np.uint8), bounds


def all_inputs() -> tuple:
    """What is wounded: streams, messages, bodies, from the corpus and made by hand."""
    known = {name: [*SEEDS[name], *corpus.read(name).values()] for name in SEEDS}
    texts = {name: [data[1:] for data in found] for name, found in known.items()}
    whole = [*DIFFS, *(data[1:] for data in SEEDS["decode"])]
    messages = [*whole * WHOLE, *texts["decode"], *texts["slow"]]
    streams = [*texts["frames"], *(encode(Frame(1, text)) for text in messages)]
    streams += [encode(Frame(1, DIFFS[0])) + encode(Frame(1, text)) for text in messages[:40]]
    return tuple(map(stacked, (streams, messages, [*[SNAPSHOT] * WHOLE, *texts["snapshot"]])))


class Bench:
    """All the memory of a hunt."""

    def __init__(self, mutant: str = "") -> None:
        rig, self.kernels = Rig(), pointers.production(*mutants.build(mutant) if mutant else ())
        self.geo, self.bases = rig.bus.geo, [rig.pipe.book_base(symbol_id) for symbol_id in (0, 1)]
        self.first = [array.copy() for array in (rig.bus.words, rig.bus.ctl, rig.pipe.work)]
        self.words, self.ctl, self.work = map(at_end, self.first)
        states = rig.pipe.space.states.view(np.int64).ravel()
        place = (states.ctypes.data - rig.pipe.work.ctypes.data) // layout.WORD_BYTES
        self.states = np.concatenate([[place], states])
        self.memory = guarded_bytes(MEMORY_BYTES)
        self.pads = np.array([list((one * PADDING_BYTES)[:PADDING_BYTES]) for one in POISONS], np.uint8)
        frame = np.zeros(1, layout.frame_dtype)
        rows = np.zeros((layout.SIDES, ROWS), layout.level_dtype)
        self.outs = ((at_end(frame), at_end(rows)), (at_start(frame), at_start(rows)))
        self.tables = (at_end(ROUTES), at_end(TABLE))
        self.inputs = all_inputs()

    def begin_block(self) -> None:
        """The bus as it was at first."""
        for array, first in zip((self.words, self.ctl, self.work), self.first, strict=True):
            array[:] = first

    def counted(self) -> np.ndarray:
        """The counters of the bus since the block began."""
        start = int(self.geo[layout.GEO_COUNTERS])
        there = slice(start, start + len(layout.COUNTER_NAMES))
        return self.words[there] - self.first[0][there]

    def run(
        self, seed: int, first: int, count: int, mode: int, progress: np.ndarray, tally: np.ndarray
    ) -> None:
        """Iterations first..first+count-1, all of one block."""
        bus = (self.words, self.ctl, self.work, self.states)
        drive.drive(
            self.kernels,
            seed,
            first,
            count,
            mode,
            self.inputs,
            self.memory,
            self.pads,
            self.tables,
            self.outs,
            bus,
            progress,
            tally,
        )
        for base in self.bases:
            fault = check_book(self.words, base, BOOK_LEVELS)
            assert fault == 0, f"a book was broken (fault {fault}) by iteration {first}..{first + count - 1}"


def hunt(seconds: float, seed: int, at: int | None, mode: int, path: Path, mutant: str) -> None:
    """In the child: hunt until the time is over, or only up to iteration `at` of its block."""
    warnings.simplefilter("ignore", NumbaExperimentalFeatureWarning)  # that kernels can be values
    jit.warm(rooms=("frames", "binance", "binance_ingest", "book_check", "session", "book"))
    progress = np.memmap(path, np.int64, "r+")
    tally, counters = parts(progress)
    bench = Bench(mutant)
    bench.run(seed, 0, 0, mode, progress, tally)  # compiles the loop
    first, until = (0 if at is None else at // BLOCK * BLOCK), time.monotonic() + seconds
    started = time.monotonic()
    while time.monotonic() < until:
        bench.begin_block()
        count = BLOCK if at is None else at % BLOCK + 1
        bench.run(seed, first, count, mode, progress, tally)
        counters += bench.counted()
        progress[2], progress[3] = first + count, int(1e9 * (time.monotonic() - started))
        if at is not None or progress[drive.WRONG]:
            return
        first += BLOCK


def parts(progress: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tally and counters of the bus, behind the words of progress."""
    end = 8 + len(drive.MODES) * drive.CODES
    return progress[8:end].reshape(len(drive.MODES), drive.CODES), progress[end:]


@dataclass
class Outcome:
    """What a hunt saw; `at` leads there again."""

    exit_code: int
    iterations: int
    frames_per_second: int
    seed: int
    mode: int
    at: int | None
    error: str = ""
    codes: dict[str, dict[str, int]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    @property
    def crashed(self) -> bool:
        """Killed, ended by an error, or a wrong answer was seen."""
        return self.exit_code != 0 or self.at is not None

    def facts(self) -> dict:
        """As JSON."""
        return asdict(self)


def code_name(mode: int, code: int) -> str:
    """What a column of the tally counts."""
    names: dict[int, str] = layout.DECODE_NAMES
    if mode == drive.FRAMES:
        names = {getattr(frames, name): name[6:].lower() for name in dir(frames) if name.startswith("FRAME_")}
    elif mode in (drive.INGEST, drive.INGEST_MESSAGE):
        names = {0: "drained", 1: "handed back"}
    elif mode == drive.INGEST_SNAPSHOT and code >= 0:
        names = {
            getattr(snapshot, name): name[9:].lower()
            for name in dir(snapshot)
            if name.startswith("SNAPSHOT_")
        }
    return names.get(code, str(code))


def _codes(tally: np.ndarray) -> Iterator[tuple[str, dict[str, int]]]:
    for mode, row in enumerate(tally.tolist()):
        seen = {code_name(mode, at - drive.CODE_ZERO): count for at, count in enumerate(row) if count}
        if seen:
            yield drive.MODE_NAMES[mode], seen


def run(seconds: float, seed: int = 1, at: int | None = None, mode: int = -1, mutant: str = "") -> Outcome:
    """Hunt in a child and tell what became of it.

    at      only the block of this iteration, up to it
    mode    one of drive.MODES, all in turn when -1
    mutant  a mistake put into the scanner, see mutants.py
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "progress")
        room = 8 + len(drive.MODES) * drive.CODES + len(layout.COUNTER_NAMES)
        np.zeros(room, np.int64).tofile(path)
        command = [sys.executable, "-m", "tests.fuzz", "hunt", "--seconds", str(seconds), "--seed", str(seed)]
        command += ["--mode", str(mode), "--found", str(path), "--mutant", mutant]
        command += ["--at", str(at)] if at is not None else []
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + SLACK_SECONDS,
            check=False,
        )
        seen = np.fromfile(path, np.int64)
    outcome = Outcome(done.returncode, int(seen[2]), 0, seed, mode, None)
    tally, counters = parts(seen)
    outcome.codes = dict(_codes(tally))
    outcome.counters = {
        name: count for name, count in zip(layout.COUNTER_NAMES, counters.tolist(), strict=True) if count
    }
    outcome.frames_per_second = int(1e9 * seen[2] / seen[3]) if seen[3] and at is None else 0
    if done.returncode:  # a death tells more than a wrong answer before it
        outcome.at, outcome.error = int(seen[drive.ITERATION]), done.stderr[-2000:]
    elif seen[drive.WRONG]:
        outcome.at = int(seen[drive.WRONG]) - 1
    return outcome


def input_of(seed: int, at: int, mode: int = -1) -> tuple[str, bytes]:
    """Which kernel an iteration calls, and with what."""
    state, data = np.zeros(1, np.uint64), np.zeros(2048, np.uint8)
    wounds.seed_state(state, seed, at)
    drawn = int(wounds.draw(state, len(drive.MODES))) if mode < 0 else mode
    kinds = {drive.FRAMES: drive.STREAMS, drive.INGEST: drive.STREAMS}
    kinds |= {drive.SCAN: drive.MESSAGES, drive.INGEST_MESSAGE: drive.MESSAGES}
    length = wounds.make_input(state, data, *all_inputs()[kinds.get(drawn, drive.BODIES)])
    return drive.MODE_NAMES[drawn], data[:length].tobytes()


def report(outcome: Outcome) -> str:
    """One line of JSON, with the input of the iteration that failed."""
    facts = outcome.facts()
    if outcome.at is not None:
        name, data = input_of(outcome.seed, outcome.at, outcome.mode)
        facts |= {"kernel": name, "input": data.hex()}
    return json.dumps(facts)
