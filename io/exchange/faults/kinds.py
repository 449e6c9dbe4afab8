"""Every fault the exchange can inject: its name, where it strikes, what a client sees, its parameters.

`docs/faults.md` shows the same table; a test compares the two.
"""

from dataclasses import dataclass, field

FRAME, STREAM, CONNECTION, HANDSHAKE = "frame", "stream", "connection", "handshake"
REST, MARKET, CLOCK, DNS = "rest", "market", "clock", "dns"

# What one opportunity of a fault is: `probability` is drawn once for each.
OPPORTUNITIES = {
    FRAME: "a market-data frame to one connection",
    STREAM: "a diff frame of one symbol, before it goes to the connections",
    CONNECTION: "a second of one open websocket",
    HANDSHAKE: "a handshake",
    REST: "a REST request",
    MARKET: "a second of one symbol",
    CLOCK: "a second",
    DNS: "a look-up of a name",
}
SECONDLY = (CONNECTION, MARKET, CLOCK)  # levels whose opportunities are seconds

Value = int | float | str | bool


@dataclass(frozen=True)
class Parameter:
    """One setting of a fault: a number within bounds, one of some words, or yes and no."""

    default: Value
    text: str
    least: float = 0
    most: float = 0
    choices: tuple[Value, ...] = ()

    @property
    def expected(self) -> str:
        """The allowed values, in words."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        if isinstance(self.default, bool):
            return "true or false"
        what = "a number" if isinstance(self.default, float) else "a whole number"
        return f"{what} in {self.least:g}..{self.most:g}"

    def accept(self, value: object) -> Value | None:
        """The value as the fault uses it, or None when it is not allowed."""
        if self.choices:
            return next((one for one in self.choices if value == one and type(value) is type(one)), None)
        if isinstance(self.default, bool):
            return value if isinstance(value, bool) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not self.least <= value <= self.most or (isinstance(self.default, int) and value != int(value)):
            return None
        return float(value) if isinstance(self.default, float) else int(value)


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    sees        what a client sees
    simulated   only the simulated market can do it, not a recording that is played
    always      without a trigger it strikes at every opportunity, not once
    endpoints   REST endpoints it strikes when the plan names none
    """

    name: str
    level: str
    sees: str
    parameters: dict[str, Parameter] = field(default_factory=dict)
    simulated: bool = False
    always: bool = False
    endpoints: tuple[str, ...] = ("depth",)


def seconds(default: float, text: str, most: float = 86_400.0) -> Parameter:
    """A parameter that is a time."""
    return Parameter(default, text, 0.0, most)


def lasting(default: float, ends: str) -> dict[str, Parameter]:
    """The parameter `duration_s` of a fault that lasts."""
    return {"duration_s": seconds(default, f"how long it lasts; 0: {ends}")}


STATUSES = (500, 502, 503, 504)
CODES = tuple(range(1000, 1014))
MISFRAMINGS = ("reserved", "opcode", "masked", "length", "continuation")
ENDPOINTS = ("ping", "time", "exchangeInfo", "depth")
RETRY_S = {"retry_after_s": Parameter(5, "the value of Retry-After", 0, 86_400)}

FRAMES = (
    Kind("lost", FRAME, "the frame never comes"),
    Kind("duplicated", FRAME, "the frame comes more than once",
         {"copies": Parameter(1, "extra copies", 1, 100)}),
    Kind("reordered", FRAME, "the frame comes behind later ones",
         {"places": Parameter(1, "frames that overtake it; after a second without them it comes anyway", 1, 100)}),
    Kind("delayed", FRAME, "the frame and all behind it come later, in order",
         {"delay_s": seconds(1.0, "how much later", 3_600.0)}),
    Kind("truncated", FRAME, "a whole websocket frame whose JSON stops short",
         {"keep": Parameter(0.5, "share of the payload that is kept", 0.0, 0.999)}),
    Kind("corrupted", FRAME, "a whole websocket frame with flipped bits in its payload",
         {"bits": Parameter(1, "bits flipped", 1, 1_000)}),
    Kind("misframed", FRAME, "bytes that break the websocket protocol",
         {"how": Parameter("any", "what is wrong with the frame's head; any: drawn",
                           choices=("any", *MISFRAMINGS))}),
    Kind("merged", FRAME, "several whole websocket frames in one TCP segment",
         {"frames": Parameter(2, "frames in the segment; after a second without them it goes as it is", 2, 1_000)}),
    Kind("fragmented", FRAME, "one message in several websocket frames (continuations)",
         {"pieces": Parameter(3, "frames the message is cut into", 2, 1_000)}),
    Kind("segmented", FRAME, "one websocket frame in many TCP segments",
         {"bytes": Parameter(1, "bytes in a segment", 1, 65_536),
          "gap_s": seconds(0.001, "time between two segments", 10.0)}),
    Kind("mute", FRAME, "the subscription is acknowledged and its stream is silent; other streams go on",
         lasting(0.0, "until the connection ends")),
    Kind("gap", STREAM, "one diff of a symbol reaches nobody: a hole in the update ids"),
)  # fmt: skip
CONNECTIONS = (
    Kind("reset", CONNECTION, "the connection ends with a TCP reset"),
    Kind("half-open", CONNECTION, "the connection stays open, but nothing is read or written any more",
         {"duration_s": seconds(60.0, "time until it is reset; 0: never")}),
    Kind("closed", CONNECTION, "a close frame; 1005: one without a code; 1006: the stream ends without one",
         {"code": Parameter(0, "close code; 0: drawn from 1000..1013", choices=(0, *CODES))}),
    Kind("pings-unanswered", CONNECTION, "no pong comes for the client's pings",
         lasting(0.0, "until the connection ends")),
    Kind("pings-unsent", CONNECTION, "the exchange sends no ping", lasting(0.0, "until the connection ends")),
    Kind("server-shutdown", CONNECTION, "a serverShutdown event, then close code 1001",
         {"grace_s": seconds(1.0, "time between the two")}),
    Kind("slow-frames", CONNECTION, "every frame comes dribbling, a few bytes at a time",
         {"bytes_per_s": Parameter(2_000, "speed", 1, 10_000_000), **lasting(5.0, "until the connection ends")}),
    Kind("slow-handshake", HANDSHAKE, "the reply to the websocket handshake comes byte by byte",
         {"gap_s": seconds(0.02, "time between two bytes", 60.0)}),
    Kind("refused", HANDSHAKE, "the websocket handshake is answered with an HTTP error",
         {"status": Parameter(503, "its status; 429 brings a Retry-After",
                              choices=(400, 403, 404, 418, 429, *STATUSES)), **RETRY_S}),
    Kind("cut", HANDSHAKE, "the connection is closed with 1001 at a certain age, as venues do after 24 hours",
         {"age_s": seconds(86_400.0, "that age", 604_800.0)}, always=True),
    Kind("tls-failure", HANDSHAKE, "the TLS handshake fails (with --tls), for REST and websocket alike",
         {"how": Parameter("abort", "abort: the connection ends in it; certificate: one of another name and authority",
                           choices=("abort", "certificate"))}),
    Kind("dns-failure", DNS, "the host name is not found (see docs/faults.md: the client's side takes part)"),
)  # fmt: skip
REPLIES = (
    Kind("stale", REST, "a snapshot of an older book",
         {"updates": Parameter(5_000, "how many update ids older", 1, 10_000_000)}),
    Kind("late", REST, "the reply is made at once and sent later",
         {"delay_s": seconds(2.0, "how much later", 3_600.0)}),
    Kind("failing", REST, "an HTTP error 5xx",
         {"status": Parameter(0, "which; 0: drawn", choices=(0, *STATUSES))}),
    Kind("slow", REST, "the body comes dribbling",
         {"bytes_per_s": Parameter(20_000, "speed", 1, 100_000_000)}),
    Kind("short", REST, "status 200 and a body that stops short",
         {"keep": Parameter(0.5, "share of the body that is sent", 0.0, 0.999),
          "honest": Parameter(True, "Content-Length tells the shorter length; else the stream ends early")}),
    Kind("rate-limited", REST, "429 with Retry-After", RETRY_S),
    Kind("banned", REST, "418 with Retry-After, for every endpoint until that time has passed", RETRY_S),
    Kind("hung", REST, "the request is never answered", lasting(0.0, "until the client goes")),
)  # fmt: skip
MARKETS = (
    Kind("burst", MARKET, "many orders at once: one large diff and a row of trades",
         {"orders": Parameter(2_000, "how many", 1, 100_000)}, simulated=True),
    Kind("storm", MARKET, "the symbol trades at a multiple of its usual rate",
         {"factor": Parameter(100, "the multiple", 2, 1_000), **lasting(1.0, "for good")}, simulated=True),
    Kind("ids-back", MARKET, "update ids jump back, as after a restart of the venue",
         {"updates": Parameter(1_000_000, "how far", 1, 1_000_000_000),
          "restart": Parameter(True, "close every connection with 1001 first")}),
    Kind("tick-size", MARKET, "the price grid gets finer, in exchangeInfo and in the frames",
         {"digits": Parameter(1, "decimal digits finer", 1, 3)}, simulated=True),
    Kind("delisted", MARKET, "the symbol is gone from exchangeInfo and REST; its streams are silent",
         {"status": Parameter("gone", "gone, or stay in exchangeInfo with status BREAK",
                              choices=("gone", "BREAK")), **lasting(0.0, "until it is listed")}),
    Kind("listed", MARKET, "a symbol that was not there appears; hidden from the start when a plan names it"),
    Kind("clock-skew", CLOCK, "the times in frames, snapshots and serverTime are wrong",
         {"skew_s": Parameter(5.0, "added to the true time", -86_400.0, 86_400.0), **lasting(0.0, "for good")}),
)  # fmt: skip

KINDS = {kind.name: kind for kind in (*FRAMES, *CONNECTIONS, *REPLIES, *MARKETS)}


def described() -> str:
    """Every fault with its parameters, as `ringbook exchange --list-faults` prints them."""
    lines = []
    for level, opportunity in OPPORTUNITIES.items():
        lines.append(f"{level} (an opportunity is {opportunity})")
        for kind in KINDS.values():
            if kind.level == level:
                lines.append(f"  {kind.name:<18} {kind.sees}")
                lines += [
                    f"      {name}={one.default}  {one.text}; {one.expected}"
                    for name, one in kind.parameters.items()
                ]
    return "\n".join(lines)
