"""A certificate made at start, so that https and wss can be tried on loopback."""

import importlib
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..errors import RingbookError

WRONG_NAME = "wrong.invalid"


class Certificate:
    """A private authority and a server certificate it signed.

    host     name or address the certificate is for, besides localhost and the loopback addresses
    ca_file  where to write the authority's certificate for clients; None: a new file in the temporary folder
    """

    def __init__(self, host: str, ca_file: Path | None = None) -> None:
        try:
            trustme = importlib.import_module("trustme")
        except ImportError:
            raise RingbookError(
                "TLS needs the package trustme, which was not found; install ringbook[exchange]"
            ) from None
        authority = trustme.CA()
        self._stranger = trustme.CA().issue_cert(WRONG_NAME)
        names = dict.fromkeys([host, "localhost", "127.0.0.1", "::1"])
        self._server = authority.issue_cert(*names)
        self.ca_file = ca_file or Path(tempfile.mkdtemp(prefix="ringbook-ca-")) / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))

    def server_context(self, strike: Callable[[], str] | None = None) -> ssl.SSLContext:
        """The context the exchange listens with. `strike` is asked at each handshake: "abort" ends the
        connection, "certificate" shows one of another name and authority, "" lets it be.

        With `strike` the loop must be asyncio's own: Python's look at the asked name crashes in transports
        that make TLS objects themselves, as aiofastnet's do.
        """
        context, wrong = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
        self._server.configure_cert(context)
        self._stranger.configure_cert(wrong)

        if strike is None:
            return context

        def greet(handle: ssl.SSLObject, name: str | None, asked: ssl.SSLContext) -> int | None:
            how = strike()
            if how == "certificate":
                handle.context = wrong
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR if how == "abort" else None

        context.sni_callback = greet
        return context

    def write_identity(self, path: Path | str) -> None:
        """Write key and certificate into one PEM file, for a server in another process."""
        blobs = [self._server.private_key_pem, *self._server.cert_chain_pems]
        Path(path).touch(mode=0o600)
        Path(path).write_bytes(b"".join(blob.bytes() for blob in blobs))


def client_context(ca_file: Path | str) -> ssl.SSLContext:
    """A context that trusts the exchange's authority and nobody else."""
    return ssl.create_default_context(cafile=str(ca_file))
