"""Live views in JupyterLab, in a real browser: they move, stop when nobody looks, and are loud when not LIVE."""

from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from .notebook_page import CHROMIUM, jupyter, market, page_of, run_until_live

pytest.importorskip("playwright", reason="install ringbook[browser]")
pytest.importorskip("jupyterlab", reason="install ringbook[browser]")
pytest.importorskip("anywidget", reason="install ringbook[notebook]")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium not found; install Debian's"),
]
VIEWS = 6
WAIT_MS = 90_000
# What is drawn on each canvas in sight: how many different colours.
COLOURS = """() => [...document.querySelectorAll('.rb-view[data-health] canvas')].map(canvas => {
    const dots = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
    return new Set(new Uint32Array(dots.buffer)).size })"""


@pytest.fixture(scope="module")
def lab():
    """The notebook, run, with every single view in sight and LIVE."""
    hosts, frames = set(), []

    def watch(page):
        page.on("request", lambda one: hosts.add(urlsplit(one.url).hostname))
        page.on("websocket", lambda one: one.on("framereceived", lambda data: frames.append(data)))

    with (
        market("live-browser") as (engine, _),
        jupyter("lab") as address,
        page_of(address, height=3000, watch=watch) as page,
    ):
        run_until_live(page, VIEWS)
        yield SimpleNamespace(page=page, engine=engine, hosts=hosts, frames=frames)


def frames_of(lab) -> int:
    """Frames of views that came from the kernel."""
    return sum(b'"frame"' in (one if isinstance(one, bytes) else one.encode()) for one in lab.frames)


def test_every_view_shows_a_picture_that_moves(lab):
    assert all(count > 8 for count in lab.page.evaluate(COLOURS))
    assert len(lab.page.evaluate(COLOURS)) >= VIEWS - 1  # the ladder has no canvas
    rows = "document.querySelector('.rb-ladder').innerText"
    before = lab.page.evaluate(rows)
    lab.page.wait_for_function(f"before => {rows} !== before", arg=before, timeout=WAIT_MS)
    assert not lab.page.evaluate(
        "[...document.querySelectorAll('.rb-alarm')].map(one => one.textContent).join('')"
    )


def test_the_page_asks_no_other_host(lab):
    assert lab.hosts <= {"127.0.0.1", None}  # None: data and blob addresses


def test_nothing_is_read_or_sent_while_the_notebook_is_hidden(lab):
    page, shell = lab.page, "window.jupyterapp.shell"
    here = page.evaluate(f"{shell}.currentWidget.id")
    page.evaluate("void window.jupyterapp.commands.execute('launcher:create')")
    page.wait_for_function(
        "![...document.querySelectorAll('.rb-view')].some(one => one.offsetParent)", timeout=WAIT_MS
    )
    before = -1
    while before != frames_of(lab):  # what was on its way
        before = frames_of(lab)
        page.wait_for_timeout(2_000)
    page.wait_for_timeout(3_000)
    assert frames_of(lab) == before
    page.evaluate(f"id => {shell}.activateById(id)", here)
    while frames_of(lab) == before:
        page.wait_for_timeout(100)


def test_when_the_writer_ends_every_view_says_so(lab):
    lab.engine.stop()
    lab.page.wait_for_function(
        "n => { const told = [...document.querySelectorAll('.rb-view[data-health=DOWN] > .rb-alarm')];"
        " return told.length >= n && told.every(one => one.textContent.includes('the writer is')) }",
        arg=VIEWS,
        timeout=WAIT_MS,
    )
    assert lab.page.evaluate("document.querySelectorAll('.rb-view[data-health=LIVE]').length") == 0
