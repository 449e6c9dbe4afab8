"""When to look: a thread that ticks while somebody watches, and does not exist otherwise.

Front ends say when they show the view and when they have drawn a frame. Frames that nobody draws stop the
pulse, so a closed page needs no time-out. While a cell runs, the kernel hears nothing; frames then go out unasked.
"""

import threading
from collections.abc import Callable
from typing import Any

MAX_RATE_HZ = 20.0
WINDOW = 8  # frames sent and not yet drawn
MAX_WATCHERS = 16  # front ends remembered; the oldest is forgotten


class Pulse:
    """Calls `beat(number)` at a rate while at least one front end shows the view and keeps up.

    beat     makes and sends frame `number`, 1, 2, …; what it raises goes to `failed`
    failed   told of what beat raised; the pulse goes on
    rate_hz  beats a second, at most MAX_RATE_HZ
    """

    def __init__(
        self, beat: Callable[[int], None], failed: Callable[[Exception], None], rate_hz: float
    ) -> None:
        self.beat, self.failed, self.period_s = beat, failed, 1.0 / rate_hz
        self.sent = 0
        self.is_deaf = False  # a cell runs: no front end can be heard
        self.is_paused = False
        self.is_stopped = False
        self._drawn: dict[str, int] = {}  # newest frame drawn, by front end that shows the view
        self._lock = threading.Lock()
        self._turn = threading.Event()  # something changed: do not sleep on
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> str:
        """running, hidden, waiting (frames are not drawn), paused or stopped."""
        with self._lock:
            return self._state()

    def _state(self) -> str:
        if self.is_stopped or self.is_paused:
            return "stopped" if self.is_stopped else "paused"
        if not self._drawn:
            return "hidden"
        if not self.is_deaf and self.sent - max(self._drawn.values()) >= WINDOW:
            return "waiting"
        return "running"

    def hear(self, content: Any) -> None:
        """Take a front end's word: {"view": id, "shown": bool} or {"view": id, "drawn": number}."""
        if not isinstance(content, dict) or not isinstance(content.get("view"), str):
            return
        view, drawn = content["view"], content.get("drawn")
        with self._lock:
            if content.get("shown") is False:
                self._drawn.pop(view, None)
            elif content.get("shown") is True:
                self._drawn.pop(view, None)
                self._drawn[view] = self.sent
                while len(self._drawn) > MAX_WATCHERS:
                    del self._drawn[next(iter(self._drawn))]
            elif isinstance(drawn, int) and view in self._drawn:
                self._drawn[view] = max(self._drawn[view], min(drawn, self.sent))
        self.look()

    def look(self) -> None:
        """Start the thread if it is wanted and not there; wake it if it sleeps."""
        with self._lock:
            if self._state() == "running" and self._thread is None:
                self._turn.clear()
                self._thread = threading.Thread(target=self._run, name="ringbook-live", daemon=True)
                self._thread.start()
            elif self._state() != "running":
                self._turn.set()

    def set(self, **changes: bool) -> None:
        """Set is_deaf, is_paused or is_stopped."""
        with self._lock:
            for name, value in changes.items():
                setattr(self, name, value)
        self.look()

    def join(self, timeout_s: float) -> bool:
        """Wait until no thread is there; whether that is so."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
        return self._thread is None

    def _run(self) -> None:
        try:
            while self._claim():
                try:
                    self.beat(self.sent)
                except Exception as error:
                    self.failed(error)
                self._turn.wait(self.period_s)
        finally:
            with self._lock:  # also when nobody could be told of a failure: the next word starts a new thread
                if self._thread is threading.current_thread():
                    self._thread = None

    def _claim(self) -> bool:
        """Take the next number, or end: decided under the lock, so that `look` never misses an ended thread."""
        with self._lock:
            if self._state() != "running":
                self._thread = None
                return False
            self._turn.clear()
            self.sent += 1
            return True
