"""A built-in exchange with very many symbols, a process of its own: `python -m tests.crowd SYMBOLS WEIGHT MINUTE_S`."""

import asyncio
import json
import sys

from ringbook.io.children import die_with_parent
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange, serve

SPEED = 0.1  # a diff a second and symbol: two cores carry five hundred


def started(exchange: Exchange) -> None:
    """Say where it listens."""
    print(json.dumps({"rest_url": exchange.rest_url, "ws_url": exchange.ws_url}), flush=True)


def main() -> None:
    """Serve until stopped."""
    die_with_parent(0)
    symbols, weight, minute_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    options = ExchangeOptions(
        symbols=("PEPEUSDT",), more_symbols=symbols, weight_per_minute=weight, minute_s=minute_s, speed=SPEED
    )
    asyncio.run(serve(options, started))


if __name__ == "__main__":
    main()
