"""Long runs, only with `make soak`: the whole chain for RINGBOOK_SOAK_MINUTES, every sampled book right."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.soak
@pytest.mark.parametrize("venue", ["binance-spot", "binance-usdm"])
def test_the_demo_stays_right(venue: str) -> None:
    seconds = 60 * float(os.environ.get("RINGBOOK_SOAK_MINUTES", "1"))
    command = [
        sys.executable,
        "-m",
        "ringbook",
        "demo",
        "--venue",
        venue,
        "--json",
        "--seconds",
        str(seconds),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 180, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["good"]
    assert facts["books_wrong"] == 0
    assert facts["books_compared"] >= 10 * seconds
