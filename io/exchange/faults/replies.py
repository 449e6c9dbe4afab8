"""What faults do to REST replies. No socket: a reply goes in, a reply with its timing comes out."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from .kinds import STATUSES
from .ledger import Strike

WRITES_PER_S = 50
FOR_GOOD = float("inf")
REFUSING = ("rate-limited", "banned", "failing", "hung")  # these answer in place of the endpoint


@dataclass(frozen=True)
class Reply:
    """One HTTP answer.

    wait_s         before its first byte; infinite: it never comes
    bytes_per_s    speed of the body; 0: at once
    missing_bytes  how much longer Content-Length says the body is; then the stream ends early
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    bytes_per_s: int = 0
    missing_bytes: int = 0

    def pieces(self) -> list[bytes]:
        """The body as it is written, WRITES_PER_S pieces a second."""
        size = max(1, self.bytes_per_s // WRITES_PER_S) if self.bytes_per_s else max(1, len(self.body))
        return [self.body[at : at + size] for at in range(0, len(self.body), size)]


def refusal_of(strikes: Iterable[Strike]) -> Reply | None:
    """The answer given in place of the endpoint's, if a strike demands one; the first one wins."""
    for strike in strikes:
        values = strike.values
        match strike.kind.name:
            case "rate-limited":
                return refused(
                    429, "Too many requests; please use the websocket.", int(values["retry_after_s"])
                )
            case "banned":
                return banned(float(values["retry_after_s"]))
            case "failing":
                status = int(values["status"]) or strike.random().choice(STATUSES)
                return Reply(
                    status, b"<html><body>upstream failed</body></html>", {"Content-Type": "text/html"}
                )
            case "hung":
                return Reply(504, b"", wait_s=float(values["duration_s"] or FOR_GOOD))
    return None


def banned(seconds: float) -> Reply:
    """The answer to an address that is banned."""
    return refused(418, "Way too many requests; IP banned.", max(1, int(seconds + 0.999)))


def refused(status: int, message: str, retry_after_s: int) -> Reply:
    """A refusal as the venue words it."""
    body = b'{"code":-1003,"msg":"%s"}' % message.encode()
    return Reply(status, body, {"Content-Type": "application/json", "Retry-After": str(retry_after_s)})


def damaged(reply: Reply, strikes: Iterable[Strike]) -> Reply:
    """The reply late, slow or short, as the strikes say."""
    for strike in strikes:
        values = strike.values
        match strike.kind.name:
            case "late":
                reply = replace(reply, wait_s=reply.wait_s + float(values["delay_s"]))
            case "slow":
                reply = replace(reply, bytes_per_s=int(values["bytes_per_s"]))
            case "short":
                whole = len(reply.body)
                body = reply.body[: min(int(whole * float(values["keep"])), max(0, whole - 1))]
                reply = replace(reply, body=body, missing_bytes=0 if values["honest"] else whole - len(body))
    return reply


def updates_behind(strikes: Iterable[Strike]) -> int:
    """How many update ids older than now a snapshot has to be."""
    return sum(int(strike.values["updates"]) for strike in strikes if strike.kind.name == "stale")
