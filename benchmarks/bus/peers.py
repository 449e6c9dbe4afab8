"""The peers, each in the fastest form its Python package offers; absent ones are skipped and named.

iceoryx2           publish-subscribe of a fixed C struct, zero-copy loan, polled subscriber
pyzmq              PUB/SUB over ipc, blocking receive into a buffer
multiprocessing    Pipe, send_bytes and a blocking recv_bytes_into

A message is the record of the ring: position | intended send time | sum | payload. Receivers compare all of it
behind the stamp with the prepared record: one memcmp, which is less work than a sum.
"""

import ctypes
import importlib
import importlib.util
import multiprocessing
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

import numpy as np

from . import shape
from .duel import Case, Outcome, WrongAnswer
from .ring_loops import BEFORE_NS, ROWS

KEPT: list[
    Any
] = []  # iceoryx2's node and service; given up before the process ends, which runs no destructors
HEAD = Struct("<qq")  # position, intended send time
TIMEOUT_S = 60
QUEUE = 4096  # messages a peer may hold back; what does not fit waits or is lost, and is counted


class Errand(NamedTuple):
    """One run, for sender and receiver."""

    kind: str
    width: int
    count: int
    step_ns: int  # 0: as fast as it goes
    address: str  # a socket path or a service name of this run
    pipes: tuple[Any, ...] = ()  # a receiver's end, or the sender's, one for each receiver
    readers: int = 1


class Received(NamedTuple):
    """What the receiver saw."""

    latencies: list[int]  # ns; empty when not paced
    accepted: int
    wrong: int


def missing(kind: str) -> str:
    """Why a peer cannot be measured here; '' when it can."""
    module = {"pyzmq": "zmq", "iceoryx2": "iceoryx2"}.get(kind)
    return f"{kind} is not installed" if module and importlib.util.find_spec(module) is None else ""


def named(kind: str) -> str:
    """The peer with its version."""
    return f"multiprocessing.{kind}" if kind == "Pipe" else f"{kind} {version(kind)}"


def bodies(width: int) -> list[bytes]:
    """What a message carries behind position and stamp, in turn."""
    return [row[2:].tobytes() for row in shape.rows_of(width)]


# ---------------------------------------------------------------- the same loops for every peer
def send_all(errand: Errand, send: Callable[[bytearray], object]) -> int:
    """Send every message, each at its own time or as fast as it goes; returns ns."""
    payloads, clock = bodies(errand.width), time.monotonic_ns
    message = bytearray(errand.width * 8)
    begun = clock()
    due_ns = begun + BEFORE_NS
    for position in range(errand.count):
        if errand.step_ns:
            while clock() < due_ns:
                pass
        HEAD.pack_into(message, 0, position, due_ns)
        message[16:] = payloads[position % ROWS]
        send(message)
        due_ns += errand.step_ns
    return clock() - begun


def receive_all(errand: Errand, receive: Callable[[], Any]) -> Received:
    """Receive until the last message; `receive` returns a buffer of the message's bytes."""
    payloads, clock = bodies(errand.width), time.monotonic_ns
    latencies: list[int] = []
    accepted = wrong = 0
    position, last = -1, errand.count - 1
    while position < last:
        message = receive()
        now = clock()
        before = position
        position, due_ns = HEAD.unpack_from(message)
        if errand.step_ns:
            latencies.append(now - due_ns)
        accepted += 1
        wrong += position <= before or message[16:] != payloads[position % ROWS]
    return Received(latencies, accepted, wrong)


# ---------------------------------------------------------------- each peer's way to send and to receive
def pipe_sender(errand: Errand) -> Callable[[bytearray], object]:
    """send_bytes on a pipe, or on one pipe for each receiver."""
    if errand.readers == 1:
        return errand.pipes[0].send_bytes
    sends = [pipe.send_bytes for pipe in errand.pipes]

    def send(message: bytearray) -> None:
        for send_one in sends:
            send_one(message)

    return send


def pipe_receiver(errand: Errand) -> Callable[[], Any]:
    """recv_bytes_into on a pipe, always the same buffer."""
    buffer = bytearray(errand.width * 8)
    view, into = memoryview(buffer), errand.pipes[0].recv_bytes_into

    def receive() -> memoryview:
        into(buffer)
        return view

    return receive


def zmq_sender(errand: Errand) -> Callable[[bytearray], object]:
    """PUB over ipc; waits for room instead of dropping, so that the last message arrives."""
    zmq = importlib.import_module("zmq")
    socket = zmq.Context().socket(zmq.XPUB)
    socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # each subscription is seen, not only the first
    socket.setsockopt(zmq.SNDHWM, QUEUE)
    socket.setsockopt(zmq.XPUB_NODROP, 1)
    socket.bind(f"ipc://{errand.address}")
    for _ in range(errand.readers):
        socket.recv()  # a subscription
    return lambda message: socket.send(message)


def zmq_receiver(errand: Errand) -> Callable[[], Any]:
    """SUB over ipc, blocking."""
    zmq = importlib.import_module("zmq")
    socket = zmq.Context().socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, QUEUE)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(f"ipc://{errand.address}")
    return socket.recv


def _service(errand: Errand) -> tuple[Any, type]:
    iox2 = importlib.import_module("iceoryx2")

    class Record(ctypes.Structure):
        _fields_ = (("words", ctypes.c_int64 * errand.width),)

    iox2.set_log_level(iox2.LogLevel.Error)
    node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)
    service = node.service_builder(iox2.ServiceName.new(errand.address)).publish_subscribe(Record)
    service = service.subscriber_max_buffer_size(QUEUE).open_or_create()
    KEPT[:] = (node, service)
    return service, Record


def iceoryx2_sender(errand: Errand) -> Callable[[bytearray], object]:
    """Loan, one memmove, send; begins when the subscriber is there."""
    service, _ = _service(errand)
    publisher = service.publisher_builder().create()
    while service.dynamic_config.number_of_subscribers < errand.readers:
        time.sleep(0.001)
    size, move, kind = errand.width * 8, ctypes.memmove, ctypes.c_char * (errand.width * 8)

    def send(message: bytearray) -> None:
        loan = publisher.loan_uninit()
        move(loan.payload_ptr, kind.from_buffer(message), size)
        loan.assume_init().send()

    return send


def iceoryx2_receiver(errand: Errand) -> Callable[[], Any]:
    """Poll without pause, as a reader for latency does; the message is copied out of the shared memory."""
    service, _ = _service(errand)
    poll, size, copy = service.subscriber_builder().create().receive, errand.width * 8, ctypes.string_at

    def receive() -> bytes:
        while (sample := poll()) is None:
            pass
        return copy(sample.payload_ptr, size)

    return receive


SENDERS = {"Pipe": pipe_sender, "pyzmq": zmq_sender, "iceoryx2": iceoryx2_sender}
RECEIVERS = {"Pipe": pipe_receiver, "pyzmq": zmq_receiver, "iceoryx2": iceoryx2_receiver}
KINDS = tuple(SENDERS)


# ---------------------------------------------------------------- one run
def _send(errand: Errand, report: Connection) -> None:
    os.sched_setaffinity(0, {shape.WRITER_CORE})
    send = SENDERS[errand.kind](errand)
    report.recv()
    report.send(send_all(errand, send))
    report.recv()  # stay until all is received: a socket's queue goes with its process
    KEPT.clear()


def _receive(errand: Errand, report: Connection) -> None:
    os.sched_setaffinity(0, {shape.READER_CORE})
    receive = RECEIVERS[errand.kind](errand)
    report.send("ready")
    report.send(receive_all(errand, receive))
    KEPT.clear()


def _told(connection: Connection, kind: str) -> Any:
    if not connection.poll(TIMEOUT_S):
        raise TimeoutError(f"{kind} was silent for {TIMEOUT_S} s")
    return connection.recv()


def play(kind: str, case: Case, folder: Path) -> Outcome:
    """Run one case through a peer.

    Raises  WrongAnswer when a message came damaged or out of order; those that never came count as lost.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pipes = [context.Pipe(duplex=False) for _ in range(case.readers)]
    reports = [context.Pipe() for _ in range(case.readers + 1)]
    step_ns = round(1e9 / case.rate) if case.rate else 0
    errand = Errand(kind, case.width, case.count, step_ns, str(folder / "peer"), (), case.readers)
    jobs = [(_receive, errand._replace(pipes=(into,))) for into, _ in pipes]
    jobs.append((_send, errand._replace(pipes=tuple(out for _, out in pipes))))
    processes = [
        context.Process(target=target, args=(part, theirs), daemon=True)
        for (target, part), (_, theirs) in zip(jobs, reports, strict=True)
    ]
    *receivers, sender = (ours for ours, _ in reports)
    try:
        for process in processes:
            process.start()
        for receiver in receivers:
            _told(receiver, kind)
        sender.send("go")
        received = [_told(receiver, kind) for receiver in receivers]
        took_ns = _told(sender, kind)
        sender.send("all received")
    finally:
        for process in processes:
            process.join(1)
            process.kill()
        for connection in (end for both in (*pipes, *reports) for end in both):
            connection.close()
    for one in received:
        if one.wrong:
            raise WrongAnswer(f"{kind}: {one.wrong} of {one.accepted} messages were wrong or out of order")
    latencies = np.array([value for one in received for value in one.latencies], np.int64)
    accepted = sum(one.accepted for one in received)
    return Outcome(latencies, case.count * case.readers - accepted, accepted, took_ns, 0, 0)
