"""The ring against a list, at every crash point, in every race, and with mistakes that must show."""

import random
import re

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ringbook.engine import layout
from ringbook.engine.kernels import board, cursor, ring
from ringbook.engine.layout import READ_EARLY, READ_EMPTY, READ_LAPPED, READ_OK

from .bus_tools import blank_bus, body, body_word, publish_raw
from .model.ring import RingModel, wrap
from .reaching import run_until_reached
from .steps import Loads, Race, Recorder, reordered, room, stores

SLOTS = (2, 4, 8, 16)
EDGES = (1, 1 << 32, 1 << 63, -1 << 32)  # the last is 2^64 - 2^32; 2^63 wraps to -2^63
FIRST = st.builds(lambda edge, before: wrap(edge - before), st.sampled_from(EDGES), st.integers(0, 60))
reached: set[str] = set()


class Ring(RuleBasedStateMachine):
    """Publish, claim and stop, read old and new seqs, follow with a cursor."""

    @initialize(slots=st.sampled_from(SLOTS), first_seq=FIRST)
    def begin(self, slots: int, first_seq: int) -> None:
        self.words, self.geo, self.ctl = blank_bus(slots, first_seq=first_seq)
        self.model, self.next_seq = RingModel(slots, first_seq), first_seq
        self.out = np.zeros(self.geo[layout.GEO_SLOT_WORDS], np.int64)
        self.place = np.zeros(cursor.CURSOR_WORDS, np.int64)
        self.place[[cursor.CUR_SEQ, cursor.CUR_BOARD, cursor.CUR_KIND]] = (
            first_seq,
            cursor.BOARD_DONE,
            cursor.ANY,
        )
        self.expected, self.lost = first_seq, 0
        self.seen = np.zeros(2, np.int64)
        self.look(0)

    @rule(count=st.integers(1, 40))
    def publish(self, count: int) -> None:
        for _ in range(count):
            publish_raw(self.words, self.geo, self.ctl, self.next_seq)
            self.model.publish(body(self.next_seq, len(self.out)))
            self.next_seq = wrap(self.next_seq + 1)

    @rule(words_written=st.integers(0, 23))
    def die_while_writing(self, words_written: int) -> None:
        slot = ring.claim(self.words, self.geo, self.next_seq)
        for word in range(1, words_written):
            self.words[slot + word] = body_word(self.next_seq, word)
        self.model.claimed = True

    @rule(symbol_id=st.integers(-1, 2))
    def show(self, symbol_id: int) -> None:
        """Publish one more and put it on the board; there are two symbols."""
        self.publish(1)
        seq = wrap(self.next_seq - 1)
        board.board_write(self.words, self.geo, symbol_id, ring.slot_of(self.geo, seq))
        if symbol_id in (0, 1):
            self.model.board[symbol_id] = (seq, body(seq, len(self.out)))
        self.look(symbol_id)

    @rule(symbol_id=st.integers(-1, 2))
    def look(self, symbol_id: int) -> None:
        code, expected = self.model.read_board(symbol_id)
        assert board.board_read(self.words, self.geo, symbol_id, self.out) == code
        reached.add(f"board {code}")
        if code == READ_OK:
            assert self.out.tolist() == expected

    @rule(age=st.integers(-3, 40))
    def read(self, age: int) -> None:
        seq = wrap(self.next_seq - age)
        if age > len(self.model.bodies):
            return
        code, expected = self.model.read(seq)
        assert ring.read_record(self.words, self.geo, seq, self.out) == code
        reached.add(f"read {code}")
        if code == READ_OK:
            assert self.out.tolist() == expected

    @rule(steps=st.integers(1, 20))
    def follow(self, steps: int) -> None:
        wanted = np.zeros(2, np.int64)
        for _ in range(steps):
            code = cursor.advance(self.words, self.geo, self.place, self.seen, wanted, self.out)
            reached.add(f"advance {code}")
            model_code, _ = self.model.read(self.expected)
            if model_code == READ_LAPPED:
                newest = wrap(self.next_seq - 1)
                self.lost += wrap(newest - self.expected)
                self.expected = newest
                assert code == READ_LAPPED
                self.place[cursor.CUR_BOARD] = cursor.BOARD_DONE  # the board has rules of its own here
            elif model_code == READ_OK:
                self.expected = wrap(self.expected + 1)
            assert code == model_code or model_code == READ_OK
            assert self.place[cursor.CUR_SEQ] == self.expected
            assert self.place[cursor.CUR_LOST] == self.lost

    @invariant()
    def bounds(self) -> None:
        if hasattr(self, "model"):
            newest = ring.newest(self.words, self.geo)
            assert newest == wrap(self.next_seq - 1)
            oldest = ring.oldest_readable(self.words, self.geo, self.model.first_seq)
            held = min(self.model.slots, len(self.model.bodies))
            assert wrap(newest - oldest) == held - 1


def test_against_a_list() -> None:
    quick = settings(max_examples=100, stateful_step_count=25, deadline=None)
    wanted = {f"read {c}" for c in (READ_OK, READ_EARLY, READ_LAPPED)}
    wanted |= {f"advance {c}" for c in (READ_EARLY, READ_LAPPED)} | {
        f"board {c}" for c in (READ_OK, READ_EMPTY)
    }
    run_until_reached(Ring, quick, wanted, reached)
    missing = wanted - reached
    assert not missing, f"never reached: {missing}"


def record_writer(count: int, mutate: tuple[str, str, str] | None = None) -> tuple:
    """Let the plain writer publish `count` records; returns its log, geo and the image before."""
    twin = Recorder()
    plain = room(twin, ring, mutate=mutate)
    words, geo, _ = blank_bus(2, 1)
    before = words.copy()
    for seq in range(1, count + 1):
        slot = plain.claim(words, geo, seq)
        for word in range(1, int(geo[layout.GEO_SLOT_WORDS])):
            twin.store_relaxed(words, slot + word, body_word(seq, word))
        plain.commit(words, slot, seq)
    return twin.log, geo, before


def races(log: list, geo: np.ndarray, before: np.ndarray, seed: int, mutate=None) -> list[str]:
    """What 6,000 readers see, over a hundred orders in which a weak machine may show the stores."""
    rng = random.Random(seed)
    orders = [stores(log), *(reordered(log, rng) for _ in range(99))]
    return [race(rng.choice(orders), geo, before, rng, mutate) for _ in range(6_000)]


def race(order: list, geo: np.ndarray, before: np.ndarray, rng: random.Random, mutate=None) -> str:
    """Read once while the writer runs; returns 'ok', 'early', 'lapped', or 'BAD': wrong and accepted."""
    words, width = before.copy(), int(geo[layout.GEO_SLOT_WORDS])
    seq, start = rng.randint(1, 5), rng.randint(0, len(order))
    twin = Race(words, order, start, rng.randint(0, width + 2), rng.randint(1, 3 * width), rng)
    out = np.zeros(width, np.int64)
    code = room_of(mutate)(twin).read_record(words, geo, seq, out)
    if code == READ_OK:
        return "ok" if out.tolist() == body(seq, width) else "BAD"
    return {READ_EARLY: "early", READ_LAPPED: "lapped"}[code]


def room_of(mutate):
    """The plain reader, built once and given its twin per run."""
    if mutate not in rooms:
        rooms[mutate] = room(None, ring, mutate=mutate)
    plain = rooms[mutate]

    def with_twin(twin):
        plain.read_record.__globals__["llvm"] = twin
        return plain

    return with_twin


rooms: dict = {}


def is_safe(mutate: tuple[str, str, str] | None = None) -> bool:
    """Whether readers met every outcome, nothing torn among them, and at rest find what a list says."""
    log, geo, before = record_writer(5, mutate)
    found = races(log, geo, before, 1, mutate)
    if "BAD" in found or min(found.count(kind) for kind in ("ok", "early", "lapped")) <= 100:
        return False
    words, out, model = before.copy(), np.zeros(geo[layout.GEO_SLOT_WORDS], np.int64), RingModel(2, 1)
    for index, value, _ in stores(log):
        words[index] = value
    for seq in range(1, 6):
        model.publish(body(seq, len(out)))
    reader = room_of(mutate)(Loads())
    codes = [reader.read_record(words, geo, seq, out) for seq in range(1, 8)]
    return codes == [model.read(seq)[0] for seq in range(1, 8)]


def test_no_race_shows_a_torn_record() -> None:
    """What weakened kernels come to here stands in test_bus_mutants."""
    assert is_safe()


def test_every_crash_point_is_readable() -> None:
    """A writer killed after any store: what was committed stays, what was not is never handed out."""
    log, geo, words = record_writer(5)
    width, out = int(geo[layout.GEO_SLOT_WORDS]), np.zeros(int(geo[layout.GEO_SLOT_WORDS]), np.int64)
    model, seq = RingModel(2, 1), 1
    for index, value, _release in stores(log):
        words[index] = value
        if index == ring.slot_of(geo, seq):
            if value == seq:
                model.publish(body(seq, width))
                seq += 1
            else:
                model.claimed = True
        for asked in range(max(1, seq - 3), seq + 2):
            code, expected = model.read(asked)
            assert ring.read_record(words, geo, asked, out) == code
            assert code != READ_OK or out.tolist() == expected


def test_plain_and_compiled_agree() -> None:
    words, geo, ctl = blank_bus(8, first_seq=11)
    plain = room(Recorder(), ring)
    for seq in range(11, 31):
        publish_raw(words, geo, ctl, seq)
    outs = np.zeros((2, geo[layout.GEO_SLOT_WORDS]), np.int64)
    for seq in range(15, 35):
        codes = [
            ring.read_record(words, geo, seq, outs[0]),
            plain.read_record(words, geo, seq, outs[1]),
        ]
        assert codes[0] == codes[1]
        assert codes[0] != READ_OK or outs[0].tolist() == outs[1].tolist()
    assert ring.newest_after_lap(words, geo, 15) == plain.newest_after_lap(words, geo, 15) == 30


def test_lap_inside_one_batch_moves_on() -> None:
    """Head lags while a batch is longer than the ring; the lapped slot itself names a committed record."""
    words, geo, _ = blank_bus(4)
    for seq in range(1, 12):
        ring.commit(words, ring.claim(words, geo, seq), seq)
    assert ring.newest(words, geo) == 0
    assert ring.newest_after_lap(words, geo, 1) == 9


def orderings(dispatcher) -> list[str]:
    """Atomic operations and copied lines in the emitted IR, in order."""
    text = dispatcher.inspect_llvm(dispatcher.nopython_signatures[0].args)
    body_text = text[text.index("define ") :]
    body_text = body_text[: body_text.index("\n}")]
    found = re.findall(r"(load atomic|store atomic|fence|load <8 x i64>)([^\n]*)", body_text)
    names = "monotonic|acquire|release|seq_cst"
    return [
        "copy" if "x i64" in what else f"{what.split()[0]} {re.search(names, rest).group()}"
        for what, rest in found
    ]


def test_emitted_orderings() -> None:
    """The IR that numba hands to LLVM holds the orderings the protocol is proven with."""
    from ringbook.engine import jit

    def compiled(dispatcher, key):
        fresh = jit.specialise(dispatcher.py_func)
        fresh.compile(jit.registry[key][1])
        return orderings(fresh)

    assert compiled(ring.claim, "ring.claim") == ["store monotonic", "fence release"]
    assert compiled(ring.commit, "ring.commit") == ["store release"]
    head = compiled(ring.publish_head, "ring.publish_head")
    assert head[:3] == ["store release", "fence seq_cst", "load monotonic"]
    assert head[3:] == ["store monotonic", "store monotonic", "load monotonic", "store release"]
    read = compiled(ring.read_record, "ring.read_record")
    assert read[0] == "load acquire"
    assert read[-2:] == ["fence acquire", "load monotonic"]
    assert set(read[1:-2]) == {"copy"}
    written = compiled(board.board_write, "board.board_write")  # blocks of a loop come in any order
    assert (written.count("store release"), written.count("fence release")) == (2, 1)
    shown = compiled(board.board_read, "board.board_read")
    assert (shown.count("load acquire"), shown.count("fence acquire")) == (2, 1)
    assert shown.index("load acquire") < shown.index("copy") < shown.index("fence acquire")
