"""What differs between the venues the exchange plays: paths, limits, weights, cadences."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Venue:
    """One venue's rules, as its own documentation gives them."""

    name: str
    rest_prefix: str
    messages_per_second: int
    ping_s: float
    pong_timeout_s: float
    weight_per_minute: int
    depth_limits: tuple[int, ...]  # the limits the venue knows; the last is the maximum
    depth_weights: tuple[int, ...]
    default_limit: int
    exact_limits: bool  # a limit not in `depth_limits` is an error (else it is clamped)
    exchange_info_weight: int
    default_depth_ms: int  # cadence of `@depth` without a suffix
    shared_ids: bool
    routed: bool  # streams are split over the /public and /market paths
    streams_max: int = 1024

    def weight_of_depth(self, limit: int) -> int:
        """Request weight of a depth snapshot of `limit` levels a side."""
        for known, weight in zip(self.depth_limits, self.depth_weights, strict=True):
            if limit <= known:
                return weight
        return self.depth_weights[-1]


SPOT = Venue(
    name="spot", rest_prefix="/api/v3", messages_per_second=5, ping_s=20.0, pong_timeout_s=60.0,
    weight_per_minute=6000, depth_limits=(100, 500, 1000, 5000), depth_weights=(5, 25, 50, 250),
    default_limit=100, exact_limits=False, exchange_info_weight=20, default_depth_ms=1000,
    shared_ids=False, routed=False,
)  # fmt: skip
USDM = Venue(
    name="usdm", rest_prefix="/fapi/v1", messages_per_second=10, ping_s=180.0, pong_timeout_s=600.0,
    weight_per_minute=2400,
    depth_limits=(5, 10, 20, 50, 100, 500, 1000), depth_weights=(2, 2, 2, 2, 5, 10, 20),
    default_limit=500, exact_limits=True, exchange_info_weight=1, default_depth_ms=250,
    shared_ids=True, routed=True,
)  # fmt: skip
VENUES = {venue.name: venue for venue in (SPOT, USDM)}

# Which kinds of stream each routed path serves; a kind asked elsewhere is acknowledged and silent.
PUBLIC_KINDS = frozenset({"depth", "partial", "bookTicker", "trade"})
MARKET_KINDS = frozenset({"aggTrade"})


def kinds_of_path(venue: Venue, path: str) -> frozenset[str]:
    """The stream kinds served to a connection opened on `path` ("/public/ws/…", "/stream", …)."""
    if not venue.routed:
        return PUBLIC_KINDS | MARKET_KINDS
    return MARKET_KINDS if path.startswith("/market/") else PUBLIC_KINDS


def venue_named(name: str) -> Venue:
    """The venue called `name`, with or without the "binance-" that the command line uses."""
    short = name.removeprefix("binance-")
    if short not in VENUES:
        raise ValueError(f"venue was {name!r}, expected {' or '.join('binance-' + one for one in VENUES)}")
    return VENUES[short]
