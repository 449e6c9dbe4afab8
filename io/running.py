"""A user's handler in the background: looked at while it runs, stopped, waited for, and its errors told.

The thread is a daemon, so that a forgotten one does not keep the interpreter alive. It leaves compiled code every
40 ms and is ended before the interpreter takes its memory apart.
"""

import atexit
import contextlib
import logging
import threading
import weakref

import numpy as np

from ..engine.percentiles import percentiles
from .errors import HandlerFailed, RingbookError
from .markup import alarm, badge, card, escape, table
from .spin import Spinner, SpinReport, pinned

log = logging.getLogger(__name__)
STOP_S, EXIT_S = 5.0, 2.0
STATE_TEXT, STATE_ITEMS = 240, 8
_all: "weakref.WeakSet[Running]" = weakref.WeakSet()


class Running:
    """A handler at work; made by `Bus.run`. A context manager: leaving it stops the handler.

    state  what was given to `run`, the very object: look at it while the handler changes it
    error  what the handler raised, or None
    """

    def __init__(self, spinner: Spinner, core: int | None) -> None:
        self.state, self.mode, self.core = spinner.state, spinner.mode, core
        self.name: str = spinner.handler.__name__
        self.bus_name = spinner.place.link.name
        self.error: BaseException | None = None
        self._spinner, self._begun, self._ended = spinner, threading.Event(), threading.Event()
        spinner.on_ready = lambda _: self._begun.set()
        self._thread = threading.Thread(target=self._body, name=f"ringbook-{self.name}", daemon=True)

    def start(self) -> "Running":
        """Start the thread; returns when the handler's place in the ring is taken."""
        _all.add(self)
        self._thread.start()
        self._begun.wait()
        return self

    def _body(self) -> None:
        try:
            with pinned(self.core):
                self._spinner.run()
        except BaseException as error:  # there is nobody above: kept, told, and raised by wait() and stop()
            self.error = error
            log.error("handler %s ended: %s", self.name, self._error_text())
        finally:
            self._begun.set()
            self._ended.set()

    def _error_text(self) -> str:
        if self.error is None:
            return ""
        notes = "; ".join(getattr(self.error, "__notes__", []))
        return f"{type(self.error).__name__}: {self.error}" + (f" ({notes})" if notes else "")

    # -- looking
    @property
    def is_running(self) -> bool:
        """Whether the handler still gets records."""
        return not self._ended.is_set()  # not the thread's join(): an interrupted one takes it for ended

    @property
    def report(self) -> SpinReport:
        """What it did so far: records, lost, laps, missed wakes …; a copy."""
        return self._spinner.report_now()

    @property
    def latency(self) -> dict[str, int]:
        """Percentiles of publish-to-read in ns; needs run(measure=True)."""
        return percentiles(self._spinner.histogram.copy())

    # -- ending
    def end(self, timeout_s: float = STOP_S) -> bool:
        """Ask it to end and wait for that; whether it did. Raises nothing, other than `stop`."""
        self._spinner.stop.set()
        if self._thread is not threading.current_thread():
            self._ended.wait(timeout_s)
        return not self.is_running

    def stop(self) -> SpinReport:
        """End it, within 50 ms unless the handler itself takes longer; returns the report.

        Raises HandlerFailed from what the handler raised, if it did.
        """
        if not self.end():
            raise RingbookError(
                f"handler {self.name} did not return within {STOP_S:.0f} s, expected an answer for each record; "
                "does it loop for ever? Its thread ends with the process"
            )
        self._raise_error()
        return self.report

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended, or so long; whether it has. Raises HandlerFailed as stop does.

        An interrupt ends the waiting, not the handler.
        """
        self._ended.wait(timeout_s)
        self._raise_error()
        return not self.is_running

    def _raise_error(self) -> None:
        if self.error is None or self.is_running:
            return
        if isinstance(self.error, RingbookError):
            raise self.error  # of the bus, not of the handler
        raise HandlerFailed(f"handler {self.name} ended by {self._error_text()}") from self.error

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.stop()
        else:
            self.end()  # what is on its way out already must not be hidden

    # -- showing
    def _status(self) -> str:
        if self.is_running:
            return "running"
        return "failed" if self.error else "ended"

    def __repr__(self) -> str:
        done = self.report
        ended = f" by {done.ended_by}" if self._status() == "ended" else ""
        trouble = f"; {self._error_text()}" if self.error else ""
        counts = f"{done.records:,} records, {done.lost:,} lost, {done.laps:,} laps"
        return f"<Running {self.name} on {self.bus_name}, {self.mode}: {self._status()}{ended}, {counts}{trouble}>"

    def _repr_html_(self) -> str:
        done, status = self.report, self._status()
        where = f"on {escape(self.bus_name)} · {escape(self.mode)}"
        where += f" · core {self.core}" if self.core is not None else ""
        ended = f" · ended by {escape(done.ended_by)}" if done.ended_by else ""
        head = (
            f'<div class="rbk-h"><b>{escape(self.name)}</b>{badge(status)}'
            f'<span class="rbk-d">{where}{ended}</span></div>'
        )
        names = ("records", "lost", "skipped", "laps", "sleeps", "missed_wakes", "generation")
        cells = [*(f"{getattr(done, name):,}" for name in names), f"{done.seconds:.1f}"]
        headers = [*(name.replace("_", " ") for name in names), "seconds"]
        return card(
            head,
            alarm("failed", self._error_text()) if self.error else "",
            alarm("lost", f"{done.lost:,} records were overwritten before they were read")
            if done.lost
            else "",
            table(headers, [cells], ()),
            f'<div class="rbk-f">state {escape(self._state_text())}</div>',
        )

    def _state_text(self) -> str:
        with np.printoptions(threshold=STATE_ITEMS, edgeitems=STATE_ITEMS // 2):
            text = " ".join(repr(self.state).split())
        return text if len(text) <= STATE_TEXT else f"{text[:STATE_TEXT]} …"


@atexit.register
def _end_all() -> None:
    """End every handler while its memory is still there; one that never returns is left to the process's end."""
    running = [one for one in _all if one.is_running]
    for one in running:
        with contextlib.suppress(Exception):
            one.end(timeout_s=0)
    for one in running:
        one.end(EXIT_S)
