"""A sender process for latency: shakes hands as a websocket server, then sends one stamped message at a time.

The time of sending goes into each message as its venue time, in ns. The sender never waits for the receiver: each
message has its time, and one sent late carries the time it was sent at, so the receiver is not blamed for it.
"""

import base64
import hashlib
import multiprocessing
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing.process import BaseProcess

from ringbook.io.exchange.flood import client_message
from ringbook.io.exchange.tls import Certificate

from . import frames

E_AT = b'"E":'
STAMP_DIGITS = 19
HELLO = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SNAPSHOT = b'{"lastUpdateId":1,"bids":[["60000.00","1"]],"asks":[["70000.00","1"]]}'


def messages(count: int) -> list[bytes]:
    """Valid consecutive diffs of 20 levels, bids under asks, room for a stamp in E."""
    made = []
    for number in range(count):
        bids = ",".join(
            f'["{60000 - (number * 7 + i * 13) % 900}.{i:02d}000000","0.{i + 1:02d}000000"]'
            for i in range(10)
        )
        asks = ",".join(
            f'["{60001 + (number * 11 + i * 17) % 900}.{i:02d}000000","0.{i + 1:02d}000000"]'
            for i in range(10)
        )
        made.append(
            b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":%019d,"s":"BTCUSDT","U":%d,"u":%d,"b":[%s],"a":[%s]}}'
            % (0, number + 2, number + 2, bids.encode(), asks.encode())
        )
    return made


def send(listener: socket.socket, count: int, rate: float, raw: bool, identity: str) -> None:
    """The sender process: shake hands, wait for a message to begin, send paced.

    raw       no websocket handshake: begin at the first byte
    identity  PEM file with key and certificate; empty for plain TCP
    """
    os.sched_setaffinity(0, {0})
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if identity:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity)
        connection = context.wrap_socket(connection, server_side=True)
    if raw:
        connection.recv(1)
    else:
        handshake(connection)
    data, offsets = frames.packed(messages(count), framed=True)
    view, at = memoryview(data), []
    for start, stop in pairwise(offsets.tolist()):
        at.append(start + bytes(data[start:stop]).index(E_AT) + len(E_AT))
    due, step = time.time_ns() + 50_000_000, int(1e9 / rate)
    for number in range(count):
        while (now := time.time_ns()) < due:
            pass
        view[at[number] : at[number] + STAMP_DIGITS] = b"%019d" % now
        connection.sendall(view[offsets[number] : offsets[number + 1]])
        due += step
    connection.recv(1)


def handshake(connection: socket.socket) -> None:
    """Answer the upgrade, then wait for the first client frame."""
    reader = connection.makefile("rb")
    key = b""
    while line := reader.readline().strip():
        if line.lower().startswith(b"sec-websocket-key:"):
            key = line.split(b":", 1)[1].strip()
    connection.sendall(HELLO + base64.b64encode(hashlib.sha1(key + GUID).digest()) + b"\r\n\r\n")
    client_message(reader.read)


class Identity:
    """A certificate for the senders of one run, and the authority that receivers trust."""

    def __init__(self) -> None:
        self._certificate = Certificate("localhost")
        self.ca_file = str(self._certificate.ca_file)
        self.pem_file = str(self._certificate.ca_file.with_name("sender.pem"))
        self._certificate.write_identity(self.pem_file)


@contextmanager
def sender(count: int, rate: float, raw: bool, identity: Identity | None) -> Iterator[int]:
    """A sender of its own for one run; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        context = multiprocessing.get_context("spawn")
        pem = identity.pem_file if identity else ""
        process: BaseProcess = context.Process(
            target=send, args=(listener, count, rate, raw, pem), daemon=True
        )
        process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.join()
