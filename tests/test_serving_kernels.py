"""The kernels that read sockets, over scripted C functions: every byte once, every end told, nobody starves."""

import ctypes
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ringbook.engine import workspace
from ringbook.engine.kernels import socket_reads, sockets
from ringbook.engine.kernels import socket_table as at
from ringbook.engine.kernels.session import DRAINED, HANDED_BACK

from .model.sockets import AGAIN, BROKEN, ECONNRESET, EOF, FIRST_FD, NOTIFY, Scripted, World

CAPACITY, READ_BYTES, CIPHER_BYTES = 96, 40, 64
FATES = {at.FATE_EOF: EOF, at.FATE_ERROR: ECONNRESET, at.FATE_NOTIFIED: NOTIFY, at.FATE_TLS: BROKEN}
FAR = (1 << 62) - 1


def pattern(size: int) -> bytes:
    """Bytes that differ from their neighbours."""
    return bytes(size + 7 * place & 255 for place in range(size))


steps = st.one_of(
    st.integers(1, 400).map(pattern), st.sampled_from([AGAIN, AGAIN, EOF, NOTIFY, BROKEN, ECONNRESET])
)
scripted = st.builds(
    lambda script, is_tls: Scripted(list(script), is_tls), st.lists(steps, max_size=12), st.booleans()
)


class Rig:
    """A table over a world; takes all bytes that come, or leaves some for later."""

    def __init__(self, world: World, spin: bool) -> None:
        self.world = world
        rows = len(world.sockets)
        self.table = np.zeros(at.HEADER_WORDS + rows * at.ROW_WORDS, np.int64)
        self.rows = self.table[at.HEADER_WORDS :].reshape(rows, at.ROW_WORDS)
        self.work = np.zeros(workspace.SCALAR_WORDS, np.int64)
        self.buffers = [np.zeros(CAPACITY + 64, np.uint8) for _ in range(rows)]
        self.events, self.cipher = np.zeros(1024, np.uint8), np.zeros(CIPHER_BYTES, np.uint8)
        table = self.table
        table[at.T_ROWS], table[at.T_SPIN], table[at.T_DEADLINE] = rows, spin, FAR
        table[at.T_EVENTS], table[at.T_EVENT_ROOM] = self.events.ctypes.data, 64
        table[at.T_EVENT_BYTES], table[at.T_EVENT_FD] = 16, 8
        table[at.T_CIPHER], table[at.T_CIPHER_BYTES] = self.cipher.ctypes.data, CIPHER_BYTES
        table[at.T_READ_BYTES] = READ_BYTES
        names = (at.T_READ, at.T_EPOLL_WAIT, *range(at.T_BIO_WRITE, at.T_CLEAR + 1))
        for name, address in zip(names, world.addresses(), strict=True):
            table[name] = address
        table[at.T_ERRNO] = ctypes.addressof(world.errno)
        for number, row in enumerate(self.rows):
            row[at.S_BUFFER], row[at.S_BUFFER_BYTES] = self.buffers[number].ctypes.data, CAPACITY + 64
            row[at.S_CAPACITY], row[at.S_FD], row[at.S_HOT] = CAPACITY, FIRST_FD + number, 1
            row[at.S_READY] = at.READY_HELD
            if world.sockets[number].is_tls:
                row[at.S_SSL] = row[at.S_BIO] = FIRST_FD + number
        self.taken = [b""] * rows
        self.ends: dict[int, object] = {}

    def turn(self, leave_bytes: int = 0) -> int:
        """One turn of the loop: row number, or -1 - SERVE_* code."""
        place = int(sockets.next_filled(self.table))
        if place < 0:
            code = int(sockets.code_of(place))
            if code == at.SERVE_ENDED:
                number = (int(self.table[at.T_ROW]) - at.HEADER_WORDS) // at.ROW_WORDS
                row = self.rows[number]
                assert number not in self.ends, "an end is told once"
                fate = int(row[at.S_FATE])
                self.ends[number] = int(row[at.S_ERROR]) if fate == at.FATE_ERROR else FATES[fate]
                row[at.S_HOT] = 0
            return -1 - code
        number = (place - at.HEADER_WORDS) // at.ROW_WORDS
        row = self.rows[number]
        begin, end = int(row[at.S_BEGIN]), int(row[at.S_END])
        stop = max(begin, end - leave_bytes)
        self.taken[number] += bytes(self.buffers[number][begin:stop])
        self.work[workspace.W_CURSOR] = stop
        left = int(sockets.settle(self.table, self.work, place, DRAINED))
        assert left == 0
        return number

    def run(self, leave: list[int]) -> None:
        """Until epoll has nothing but things for Python, twice: then every script was played."""
        idle, turns = 0, 0
        sockets.begin_serving(self.table)
        while idle < 40:
            found = self.turn(leave[turns % len(leave)])
            turns += 1
            if found < 0:
                idle += found == -1 - at.SERVE_EVENTS
                sockets.begin_serving(self.table)
        for number, row in enumerate(self.rows):  # what was left for later
            begin, end = int(row[at.S_BEGIN]), int(row[at.S_END])
            self.taken[number] += bytes(self.buffers[number][begin:end])


@given(
    st.lists(scripted, min_size=1, max_size=4),
    st.booleans(),
    st.lists(st.integers(0, 30), min_size=1, max_size=5),
)
def test_every_byte_comes_once_in_order_and_every_end_is_told(
    ones: list[Scripted], spin: bool, leave: list[int]
) -> None:
    wanted = [one.expected() for one in ones]
    rig = Rig(World(ones), spin)
    rig.run(leave)
    for number, (data, end) in enumerate(wanted):
        assert rig.taken[number] == data
        assert rig.ends.get(number, "open") == end
        event(f"{'TLS' if ones[number].is_tls else 'TCP'} ends with {end}")
    assert all(np.count_nonzero(buffer[CAPACITY:]) == 0 for buffer in rig.buffers)


@pytest.mark.parametrize("spin", [False, True])
def test_a_flood_hides_neither_its_neighbour_nor_epoll(spin: bool) -> None:
    flood, quiet = Scripted([b"x" * 40] * 500), Scripted([b"y"] * 20)
    world = World([flood, quiet])
    rig = Rig(world, spin)
    sockets.begin_serving(rig.table)
    turns = [rig.turn() for _ in range(40)]
    assert turns.count(1) >= 8
    asked = [place for place, call in enumerate(world.log) if call == "epoll"]
    assert all(b - a <= 2 * sockets.MOST_LOOKS + 1 for a, b in pairwise(asked))
    assert len(asked) >= 5


@pytest.mark.parametrize("spin", [False, True])
def test_the_deadline_ends_a_flood_after_one_question(spin: bool) -> None:
    rig = Rig(World([Scripted([b"x" * 40] * 500)]), spin)
    rig.table[at.T_DEADLINE] = 0
    sockets.begin_serving(rig.table)
    turns = []
    while not turns or turns[-1] >= 0:
        turns.append(rig.turn())
    assert turns[-1] == -1 - at.SERVE_OVER
    assert 1 <= len(turns) <= 2 * sockets.MOST_LOOKS


def test_bytes_taken_by_hand_are_not_settled() -> None:
    rig = Rig(World([Scripted([b"abc"])]), False)
    rig.rows[0][at.S_BY_HAND] = 1
    sockets.begin_serving(rig.table)
    assert sockets.code_of(sockets.next_filled(rig.table)) == at.SERVE_RAW
    assert rig.rows[0][at.S_END] == 3 and rig.table[at.T_ROW] == at.HEADER_WORDS


def settled(**words: int) -> int:
    rig = Rig(World([Scripted([b"abc"])]), False)
    sockets.begin_serving(rig.table)
    place = int(sockets.next_filled(rig.table))
    rig.work[workspace.W_CURSOR] = 1
    for name, value in words.items():
        rig.work[getattr(workspace, name)] = value
    left = int(sockets.settle(rig.table, rig.work, place, HANDED_BACK if not words else DRAINED))
    assert rig.rows[0][at.S_BEGIN] == 1
    return int(sockets.code_of(left))


def test_python_is_wanted_for_handed_frames_large_frames_and_changes() -> None:
    assert settled() == at.SERVE_HANDED
    assert settled(W_NEED_BYTES=CAPACITY) == at.SERVE_ROOM
    assert settled(W_CHANGED=1) == at.SERVE_CHANGED


def test_memory_that_openssl_refuses_ends_the_stream() -> None:
    world = World([Scripted([b"abc"], is_tls=True)])
    rig = Rig(world, False)
    rig.table[at.T_BIO_WRITE] = rig.table[at.T_CLEAR]  # takes nothing
    rig.rows[0][at.S_READY] = at.READY_READ
    assert socket_reads.fill(rig.table, at.HEADER_WORDS) == at.FILL_ENDED
    assert rig.rows[0][at.S_FATE] == at.FATE_TLS


def test_an_error_of_one_stream_is_not_taken_for_its_neighbours() -> None:
    """The end comes with the last bytes, so that the neighbour is read before Python hears of it."""
    ones = [Scripted([b"abc", BROKEN], is_tls=True), Scripted([b"def"], is_tls=True)]
    rig = Rig(World(ones), False)
    rig.run([0])
    assert rig.taken == [b"abc", b"def"] and rig.ends == {0: BROKEN}
