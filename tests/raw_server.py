"""A websocket server of a few lines that does exactly what a test tells it, right or wrong."""

import base64
import hashlib
import re

PATIENCE_S = 30.0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


def accept(request: bytes) -> bytes:
    """The 101 reply to a websocket handshake."""
    found = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
    assert found is not None, request
    answer = base64.b64encode(hashlib.sha1(found[1] + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
    )
