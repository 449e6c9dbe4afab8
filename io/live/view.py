"""The widget: one anywidget for every kind of view; its JavaScript and style come with the package."""

import contextlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from ..errors import BookBusy
from .pulse import Pulse

SCRIPTS = ("ink", "charts", "price", "flow", "depth", "heat", "ladder", "panel", "shell")
MAX_ERROR_CHARS = 600


@cache
def web(suffix: str) -> str:
    """The front end's sources in one text, "js" or "css"; they are concatenated, so names are shared."""
    folder = Path(__file__).parent / "web"
    names = [f"{name}.js" for name in SCRIPTS] if suffix == "js" else ["live.css"]
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def packed(frame: dict[str, Any]) -> tuple[dict[str, Any], list[memoryview]]:
    """A frame as JSON and buffers: arrays travel as bytes, little-endian, named in order under "arrays"."""
    content: dict[str, Any] = {"arrays": []}
    buffers = []
    for name, value in frame.items():
        if isinstance(value, np.ndarray):
            kind = "u1" if value.dtype == np.uint8 else "f4" if value.dtype == np.float32 else "f8"
            content["arrays"].append([name, kind])
            buffers.append(np.ascontiguousarray(value, "<" + kind).data.cast("B"))
        else:
            content[name] = value
    return content, buffers


class View(anywidget.AnyWidget):
    """A live view: shows itself in a notebook, updates while it is seen, costs nothing while it is not.

    kind    picture to draw
    title   said above it
    look    makes one frame
    """

    _esm = web("js")
    _css = web("css")
    kind = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(280).tag(sync=True)

    def __init__(
        self, kind: str, title: str, look: Callable[[], dict[str, Any]], rate_hz: float, height: int = 280
    ) -> None:
        self.look = look
        self._pulse = Pulse(self._beat, self._fail, rate_hz)
        self.error: Exception | None = None
        super().__init__(kind=kind, title=title, height=height)
        self.on_msg(self._hear)
        self._listen_to_cells()

    def _hear(self, _: object, content: Any, __: object) -> None:
        self._pulse.hear(content)
        if isinstance(content, dict) and content.get("shown") and self.state in ("paused", "stopped"):
            self.send({"arrays": [], "state": self.state})  # a page that comes later

    def _beat(self, number: int) -> None:
        with contextlib.suppress(BookBusy):  # the next look is soon
            content, buffers = packed({"frame": number, **self.look()})
            self.error = None
            self.send(content, buffers)
            return
        self.send({"frame": number, "arrays": [], "busy": True})

    def _fail(self, error: Exception) -> None:
        self.error = error
        text = f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS]
        self.send({"frame": self._pulse.sent, "arrays": [], "error": text})

    @property
    def frames(self) -> int:
        """Frames sent."""
        return self._pulse.sent

    @property
    def state(self) -> str:
        """running, hidden (nobody sees it), waiting (frames are not drawn), paused or stopped."""
        return self._pulse.state

    @property
    def paused(self) -> bool:
        """Whether the view was told to stand still; set it to True or False."""
        return self._pulse.is_paused

    @paused.setter
    def paused(self, value: bool) -> None:
        self._pulse.set(is_paused=bool(value))
        self.send({"arrays": [], "state": self.state})

    def stop(self) -> None:
        """End for good; the last picture stays, greyed."""
        self._pulse.set(is_stopped=True)
        self._pulse.join(1.0)
        self._forget_cells()
        self.send({"arrays": [], "state": "stopped"})

    def close(self) -> None:
        """Remove the widget from every page."""
        self._pulse.set(is_stopped=True)
        self._forget_cells()
        super().close()

    # ---------------------------------------------------------------- whether the kernel can hear
    def _cell_begins(self, *_: object) -> None:
        self._pulse.set(is_deaf=True)

    def _cell_ended(self, *_: object) -> None:
        self._pulse.set(is_deaf=False)

    def _listen_to_cells(self) -> None:
        """Know when a cell runs; outside IPython there are none."""
        try:
            from IPython import get_ipython
        except ImportError:
            return
        shell = get_ipython()
        if shell is None:
            return
        shell.events.register("pre_run_cell", self._cell_begins)
        shell.events.register("post_run_cell", self._cell_ended)
        self._pulse.set(is_deaf=True)  # made by a cell, which runs

    def _forget_cells(self) -> None:
        with contextlib.suppress(ImportError, ValueError, AttributeError):  # not registered
            from IPython import get_ipython

            events = get_ipython().events
            events.unregister("pre_run_cell", self._cell_begins)
            events.unregister("post_run_cell", self._cell_ended)
