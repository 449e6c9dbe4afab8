"""Take the pictures of docs/live.md from a running chain: python -m notebooks.screenshots

Exchange, engine, Jupyter and chromium are started here and ended here; a gap is injected on the way.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from ringbook.io.verdict import ask
from tests.notebook_page import jupyter, market, page_of, run_until_live
from tests.source_tree import ROOT

PICTURES = ROOT / "docs" / "live"
KINDS = ("ladder", "depth", "price", "flow", "heat", "panel")


def singles(page: Any, rest_url: str, seconds: float, folder: Path) -> None:
    """One picture of each view; the book has had a gap."""
    run_until_live(page, len(KINDS))
    time.sleep(seconds * 0.7)
    ask(f"{rest_url}/ringbook/fault", {"kind": "gap", "symbol": "BTCUSDT"})
    time.sleep(seconds * 0.3)
    for number, kind in enumerate(KINDS):
        page.locator(".rb-view").nth(number).screenshot(path=folder / f"{kind}.png")


def board(page: Any, seconds: float, path: Path) -> None:
    """A picture of the dashboard."""
    page.locator(".rb-view").nth(len(KINDS)).evaluate("one => one.scrollIntoView()")
    page.wait_for_function(
        "n => [...document.querySelectorAll('.rb-view')].slice(n).every(one => one.dataset.health === 'LIVE')",
        arg=len(KINDS),
        timeout=90_000,
    )
    time.sleep(seconds)
    page.locator(".widget-gridbox").screenshot(path=path)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="history in the pictures")
    parser.add_argument("--only", choices=("light", "dark", "notebook"), help="one of the three runs")
    options = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ringbook-pictures-", dir="/dev/shm") as folder:
        os.environ["RINGBOOK_DIR"] = folder
        with market("live") as (_, rest_url):
            if options.only in (None, "light"):
                with jupyter("lab") as address, page_of(address, 1180, 3000) as page:
                    singles(page, rest_url, options.seconds, PICTURES)
            if options.only in (None, "dark"):
                with jupyter("lab", is_dark=True) as address, page_of(address, 1480, 1500) as page:
                    run_until_live(page, 1)
                    board(page, options.seconds, PICTURES / "dashboard-dark.png")
            if options.only in (None, "notebook"):
                with jupyter("notebook") as address, page_of(address, 1000, 900) as page:
                    run_until_live(page, 1)
                    time.sleep(options.seconds / 4)
                    page.screenshot(path=PICTURES / "notebook7.png")


if __name__ == "__main__":
    main()
