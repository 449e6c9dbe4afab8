"""C functions and C objects that kernels read sockets with: addresses, found and checked once.

Python's ssl module keeps the connection of OpenSSL to itself. Where it lies in CPython's object is read here,
and believed only if everything around it is what it must be; else TLS is left to asyncio.
"""

import _ssl
import ctypes
import functools
import ssl
import sys
from dataclasses import dataclass
from typing import Any

POINTER_BYTES = ctypes.sizeof(ctypes.c_size_t)
# Words of CPython's objects: head, then `PyObject *Socket; SSL *ssl; PySSLContext *ctx`, and `SSL_CTX *ctx`.
TYPE_WORD, SOCKET_WORD, SSL_WORD, CONTEXT_WORD, INNER_WORD = 1, 2, 3, 4, 2


@functools.cache
def libc() -> ctypes.CDLL:
    """The C library of this process."""
    return ctypes.CDLL(None, use_errno=False)


def address_of(function: Any) -> int:
    """Where a C function lies."""
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


def errno_address() -> int:
    """Where this thread keeps errno."""
    locate = libc().__errno_location
    locate.restype = ctypes.c_void_p
    return int(locate())


@functools.cache
def libssl() -> ctypes.CDLL | None:
    """The OpenSSL that Python's ssl module uses; None where it cannot be reached."""
    path = getattr(_ssl, "__file__", None)
    if path is None or sys.implementation.name != "cpython":
        return None
    try:
        library = ctypes.CDLL(path)
        for name in (
            "SSL_read",
            "SSL_has_pending",
            "SSL_get_error",
            "SSL_get_rbio",
            "SSL_get_SSL_CTX",
            "BIO_write",
            "BIO_ctrl",
            "ERR_clear_error",
        ):
            getattr(library, name)
    except (OSError, AttributeError):
        return None
    library.SSL_get_rbio.restype = library.SSL_get_SSL_CTX.restype = ctypes.c_void_p
    library.SSL_get_rbio.argtypes = library.SSL_get_SSL_CTX.argtypes = [ctypes.c_void_p]
    return library


@dataclass(frozen=True)
class Secured:
    """A TLS connection of OpenSSL: addresses of it and of the memory it decrypts from."""

    ssl: int
    bio: int


def _words(thing: object, count: int) -> list[int]:
    """The first machine words of an object."""
    return list((ctypes.c_size_t * count).from_address(id(thing)))


def secured(ssl_object: Any) -> Secured | None:
    """What lies behind the ssl object of an asyncio transport; None where it is not certain."""
    library, inner = libssl(), getattr(ssl_object, "_sslobj", None)
    if library is None or type(ssl_object) is not ssl.SSLObject or inner is None:
        return None
    if type(inner).__basicsize__ < (CONTEXT_WORD + 1) * POINTER_BYTES:
        return None
    found, context = _words(inner, CONTEXT_WORD + 1), ssl_object.context
    if found[TYPE_WORD] != id(type(inner)) or found[SOCKET_WORD] or found[CONTEXT_WORD] != id(context):
        return None
    if _words(context, TYPE_WORD + 1)[TYPE_WORD] != id(type(context)) or not found[SSL_WORD]:
        return None
    if library.SSL_get_SSL_CTX(found[SSL_WORD]) != _words(context, INNER_WORD + 1)[INNER_WORD]:
        return None
    bio = library.SSL_get_rbio(found[SSL_WORD])
    return Secured(found[SSL_WORD], bio) if bio else None
