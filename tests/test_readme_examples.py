"""Python examples of README and the handler page run as they stand, against a bus that a thread keeps publishing on."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringbook.io import bus

from .bus_tools import publish_book
from .test_docs import README, ROOT, fenced

EXAMPLES = [*fenced(README, "python"), *fenced(ROOT / "docs" / "handlers.md", "python")]


@pytest.fixture
def live_bus(bus_directory: Path) -> Iterator[None]:
    """A bus named as in README, with one symbol that changes a few thousand times a second."""
    stop = threading.Event()
    with bus.create("binance-spot", directory=bus_directory, venue="test", symbol_capacity=2) as writer:
        writer.add_symbol(b"BTCUSDT", "test", 2, 5, 1, 1)
        for step in range(10):
            publish_book(writer, bid=100 + step)

        def keep_publishing() -> None:
            while not stop.wait(0.0002):
                publish_book(writer)

        thread = threading.Thread(target=keep_publishing)
        thread.start()
        yield
        stop.set()
        thread.join()


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_run(live_bus, capsys, number):
    exec(compile(EXAMPLES[number], f"example {number + 1}", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out


def test_there_are_examples():
    assert len(EXAMPLES) >= 3
