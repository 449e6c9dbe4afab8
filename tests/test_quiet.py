"""The log under a flood: few lines of a kind, none of them long, and the number of what was left out."""

import asyncio
import logging

import pytest

from ringbook.io.quiet import KINDS_MAX, LINES_MAX, TEXT_MAX, WINDOW_S, LogLimit, complain


class Shown(logging.Handler):
    """A handler that keeps what it shows."""

    def __init__(self, limit: LogLimit) -> None:
        super().__init__()
        self.addFilter(limit)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def shown() -> tuple[logging.Logger, Shown, list[float]]:
    now_s = [0.0]
    handler, log = Shown(LogLimit(lambda: now_s[0])), logging.Logger("test")
    log.addHandler(handler)
    return log, handler, now_s


def test_a_kind_of_line_is_limited_and_the_next_one_tells_how_many_were_left_out() -> None:
    log, handler, now_s = shown()
    for number in range(1_000):
        log.warning("frame refused (%s)", number)
    log.warning("another kind")
    assert len(handler.lines) == LINES_MAX + 1
    assert handler.lines[LINES_MAX - 1] == f"frame refused ({LINES_MAX - 1})"
    now_s[0] = WINDOW_S
    log.warning("frame refused (%s)", 7)
    log.warning("frame refused (%s)", 8)
    assert handler.lines[-2:] == [
        f"frame refused (7) ({1_000 - LINES_MAX} lines like this were left out)",
        "frame refused (8)",
    ]


def test_a_long_line_is_cut_and_says_so() -> None:
    log, handler, _ = shown()
    log.warning("%s", "x" * 5_000)
    log.warning("%s", "y" * TEXT_MAX)
    assert handler.lines == ["x" * TEXT_MAX + " … (5000 characters)", "y" * TEXT_MAX]


def test_a_flood_of_kinds_keeps_few_of_them() -> None:
    """Kinds come from our own texts; should one of them hold a value, memory is bounded all the same."""
    log, handler, _ = shown()
    for number in range(3 * KINDS_MAX):
        log.warning(f"kind {number}")
    limit = handler.filters[0]
    assert isinstance(limit, LogLimit)
    assert len(limit.kinds) == KINDS_MAX + 1
    assert len(handler.lines) == KINDS_MAX + LINES_MAX


def test_what_nobody_caught_is_one_line_even_when_its_traceback_is_broken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def story(error: object) -> None:
        async def run() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(complain)
            loop.call_exception_handler({"message": "it broke", "exception": error})

        asyncio.run(run())

    try:
        raise ValueError("seven")
    except ValueError as error:
        story(error)
    story(ValueError)  # a class, as a library of transports hands over when a TLS handshake fails
    story(None)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert lines[0].startswith("in the event loop: it broke: ValueError('seven') File ")
    assert lines[1:] == [
        "in the event loop: it broke: <class 'ValueError'> ",
        "in the event loop: it broke: None ",
    ]
