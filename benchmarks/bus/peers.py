"""The peers, each in the fastest form its Python package offers; absent ones are skipped and named.

iceoryx2           publish-subscribe of a fixed C struct, zero-copy loan, polled subscriber
pyzmq              PUB/SUB over ipc, blocking receive into a buffer
multiprocessing    Pipe, send_bytes and a blocking recv_bytes_into

A message is the record of the ring: position | intended send time | sum | payload. Receivers compare all of it
behind the stamp with the prepared record: one memcmp, which is less work than a sum.
"""

import ctypes
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

from . import shape
from .duel import WrongAnswer
from .ring_loops import BEFORE_NS, ROWS

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
    pipe: Any = None  # this side's end


class Received(NamedTuple):
    """What the receiver saw."""

    latencies: list[int]  # ns; empty when not paced
    accepted: int
    lost: int
    wrong: int
    elapsed_ns: int


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
    accepted = wrong = begun = 0
    position, last = -1, errand.count - 1
    while position < last:
        message = receive()
        now = clock()
        before = position
        position, due_ns = HEAD.unpack_from(message)
        if errand.step_ns:
            latencies.append(now - due_ns)
        elif not begun:
            begun = now
        accepted += 1
        wrong += position <= before or message[16:] != payloads[position % ROWS]
    return Received(latencies, accepted, errand.count - accepted, wrong, clock() - begun)


# ---------------------------------------------------------------- each peer's way to send and to receive
def pipe_sender(errand: Errand) -> Callable[[bytearray], object]:
    """send_bytes on a pipe."""
    return errand.pipe.send_bytes


def pipe_receiver(errand: Errand) -> Callable[[], Any]:
    """recv_bytes_into on a pipe, always the same buffer."""
    buffer = bytearray(errand.width * 8)
    view, into = memoryview(buffer), errand.pipe.recv_bytes_into

    def receive() -> memoryview:
        into(buffer)
        return view

    return receive


def zmq_sender(errand: Errand) -> Callable[[bytearray], object]:
    """PUB over ipc; waits for room instead of dropping, so that the last message arrives."""
    import zmq

    socket = zmq.Context().socket(zmq.XPUB)
    socket.setsockopt(zmq.SNDHWM, QUEUE)
    socket.setsockopt(zmq.XPUB_NODROP, 1)
    socket.bind(f"ipc://{errand.address}")
    socket.recv()  # the subscription
    return lambda message: socket.send(message)


def zmq_receiver(errand: Errand) -> Callable[[], Any]:
    """SUB over ipc, blocking."""
    import zmq

    socket = zmq.Context().socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, QUEUE)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(f"ipc://{errand.address}")
    return socket.recv


def _service(errand: Errand) -> tuple[Any, type]:
    import iceoryx2 as iox2

    class Record(ctypes.Structure):
        _fields_ = (("words", ctypes.c_int64 * errand.width),)

    iox2.set_log_level(iox2.LogLevel.Error)
    node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)
    service = node.service_builder(iox2.ServiceName.new(errand.address)).publish_subscribe(Record)
    service = service.subscriber_max_buffer_size(QUEUE).open_or_create()
    _service.kept = (node, service)  # type: ignore[attr-defined]  # else both go with this call
    return service, Record


def iceoryx2_sender(errand: Errand) -> Callable[[bytearray], object]:
    """Loan, one memmove, send; begins when the subscriber is there."""
    service, _ = _service(errand)
    publisher = service.publisher_builder().create()
    while service.dynamic_config.number_of_subscribers == 0:
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


def _receive(errand: Errand, report: Connection) -> None:
    os.sched_setaffinity(0, {shape.READER_CORE})
    receive = RECEIVERS[errand.kind](errand)
    report.send("ready")
    report.send(receive_all(errand, receive))


def play(kind: str, case: Any, folder: Path) -> tuple[Received, int]:
    """Run one case (duel.Case) through a peer; returns what was received, and the sender's ns."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ends = context.Pipe(duplex=False)
    step_ns = round(1e9 / case.rate) if case.rate else 0
    errand = Errand(kind, case.width, case.count, step_ns, str(folder / "peer"))
    (receiver, theirs), (sender, senders) = context.Pipe(), context.Pipe()
    processes = [
        context.Process(target=_receive, args=(errand._replace(pipe=ends[0]), theirs), daemon=True),
        context.Process(target=_send, args=(errand._replace(pipe=ends[1]), senders), daemon=True),
    ]

    def told(connection: Connection) -> Any:
        if not connection.poll(TIMEOUT_S):
            raise TimeoutError(f"{kind} did not finish {case}")
        return connection.recv()

    try:
        for process in processes:
            process.start()
        told(receiver)
        sender.send("go")
        received = told(receiver)
        took_ns = told(sender)
        sender.send("all received")
    finally:
        for process in processes:
            process.join(1)
            process.kill()
        for connection in (*ends, receiver, theirs, sender, senders):
            connection.close()
    if received.wrong or received.accepted != case.count:
        raise WrongAnswer(
            f"{kind}: {received.accepted} of {case.count} received, {received.wrong} of them wrong"
        )
    return received, took_ns
