"""The exchangeInfo reply: instruments with their filters, and the venue's rate limits."""

from decimal import Decimal

from .instruments import Instrument
from .venues import Venue


def exchange_info(venue: Venue, instruments: list[Instrument], server_ms: int, weight_limit: int) -> dict:
    """The venue's exchangeInfo for `instruments`."""
    usdm = venue.name == "usdm"
    return {
        "timezone": "UTC",
        "serverTime": server_ms,
        **({"futuresType": "U_MARGINED"} if usdm else {}),
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight_limit}
        ],
        "exchangeFilters": [],
        "symbols": [usdm_symbol(one) if usdm else spot_symbol(one) for one in instruments],
    }


def spot_symbol(one: Instrument) -> dict:
    """One entry of the spot exchangeInfo."""
    return {
        "symbol": one.symbol,
        "status": "TRADING",
        "baseAsset": one.base,
        "baseAssetPrecision": one.qty_digits,
        "quoteAsset": one.quote,
        "quotePrecision": one.price_digits,
        "quoteAssetPrecision": one.price_digits,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters(one),
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def usdm_symbol(one: Instrument) -> dict:
    """One entry of the USD-M exchangeInfo."""
    return {
        "symbol": one.symbol,
        "pair": one.symbol,
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": one.base,
        "quoteAsset": one.quote,
        "marginAsset": one.quote,
        "pricePrecision": one.price_digits,
        "quantityPrecision": one.qty_digits,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "filters": filters(one),
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def filters(one: Instrument) -> list[dict]:
    """PRICE_FILTER and LOT_SIZE of an instrument."""
    tick, step = padded(one.tick, one.price_digits), padded(one.step, one.qty_digits)
    top_price = padded(one.tick * 10_000_000_000, one.price_digits)
    top_qty = padded(one.step * 9_000_000_000, one.qty_digits)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": top_price, "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": top_qty, "stepSize": step},
    ]


def padded(value: Decimal, digits: int) -> str:
    """`value` printed with exactly `digits` decimals."""
    return f"{value:.{digits}f}"
