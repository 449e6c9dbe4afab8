"""What every test runs under: buses in a folder of its own, and Hypothesis without a stop-watch."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from .ready import load_kernels

# Examples of a cold machine compile kernels, and no timing is asserted anywhere: no deadline.
settings.register_profile(
    "patient", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
PATIENT = settings.get_profile("patient")
settings.register_profile("ringbook", parent=PATIENT, max_examples=60)
settings.register_profile("soak", parent=PATIENT, max_examples=2_000)
# A landing must not hang on luck: CI draws the same examples each time; `make test` and the soak explore.
settings.register_profile("ci", parent=PATIENT, derandomize=True, max_examples=100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ringbook"))


# A shell's background job ignores SIGINT, and so would its children; one that a test interrupts would go on for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _kernels_ready() -> None:
    load_kernels()


@pytest.fixture(scope="session", autouse=True)
def bus_directory() -> Iterator[Path]:
    """A bus folder for this test process alone, in shared memory where there is one: never the user's own."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="ringbook-test-", dir=shared))
    before = os.environ.get("RINGBOOK_DIR")
    os.environ["RINGBOOK_DIR"] = str(folder)
    yield folder
    if before is None:
        del os.environ["RINGBOOK_DIR"]
    else:
        os.environ["RINGBOOK_DIR"] = before
    shutil.rmtree(folder, ignore_errors=True)
