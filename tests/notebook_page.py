"""A notebook in a real browser, headless: JupyterLab or Notebook 7 on loopback, opened by Debian's chromium."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ringbook.io.census import rm
from ringbook.io.children import Child
from ringbook.io.errors import RingbookError

from .source_tree import ROOT

CHROMIUM = shutil.which("chromium")
NOTEBOOK = ROOT / "notebooks" / "live.ipynb"
READY_S = 120.0
PLACES = {"lab": "lab/tree", "notebook": "notebooks"}
SYMBOLS = "BTCUSDT,ETHUSDT,PEPEUSDT"


@contextlib.contextmanager
def market(bus: str, speed: str = "2") -> Iterator[tuple[Child, str]]:
    """The built-in exchange and an engine that follows it; gives the engine and the exchange's REST address."""
    options = ("--venue", "binance-spot", "--symbols", SYMBOLS)
    with Child("the exchange", "exchange", *options, "--speed", speed) as exchange:
        urls = exchange.ready(READY_S)
        addresses = ("--rest-url", urls["rest"], "--ws-url", urls["ws"])
        with Child("the engine", "run", *options, "--bus", bus, *addresses) as engine:
            engine.ready(READY_S)
            try:
                yield engine, urls["rest"]
            finally:
                engine.stop()
                with contextlib.suppress(RingbookError):
                    rm(bus)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _settings(home: Path, is_dark: bool) -> dict[str, str]:
    """Environment of a Jupyter that knows nothing of this user's, in `home`."""
    themes = home / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    themes.parent.mkdir(parents=True)
    themes.write_text(json.dumps({"theme": "JupyterLab Dark" if is_dark else "JupyterLab Light"}))
    pages = home / "config" / "labconfig"
    pages.mkdir(parents=True)
    silent = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (pages / "page_config.json").write_text(json.dumps(silent))
    names = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    names |= {
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    path = f"{ROOT / 'src'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return {**os.environ, **{name: str(home / folder) for name, folder in names.items()}, "PYTHONPATH": path}


@contextlib.contextmanager
def jupyter(app: str, is_dark: bool = False) -> Iterator[str]:
    """A server with a copy of the notebook; gives the notebook's address, token included.

    app  "lab" or "notebook"
    """
    home = Path(tempfile.mkdtemp(prefix="ringbook-jupyter-"))
    port, token = _free_port(), secrets.token_hex(16)
    (home / "work").mkdir()
    shutil.copy(NOTEBOOK, home / "work" / "live.ipynb")
    expose = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}[app]
    command = [
        sys.executable, "-m", {"lab": "jupyterlab", "notebook": "notebook"}[app],
        "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home / 'work'}",
        f"--{expose}.expose_app_in_browser=True",
    ]  # fmt: skip
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            command, env=_settings(home, is_dark), stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, home / "log")
            yield f"http://127.0.0.1:{port}/{PLACES[app]}/live.ipynb?token={token}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)  # kernels too: they are in its group or watch it
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    shutil.rmtree(home, ignore_errors=True)


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.2)
    raise RuntimeError(f"Jupyter did not come up:\n{log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def page_of(
    address: str, width: int = 1280, height: int = 2600, watch: Callable[[Any], None] = lambda page: None
) -> Iterator[Any]:
    """A page of a headless chromium, opened at the address; `watch` sees it before it is opened."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            watch(page)
            page.goto(address, timeout=120_000)
            yield page
        finally:
            browser.close()


def run_all(page: Any) -> None:
    """Run every cell of the open notebook, as the menu does."""
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
    page.wait_for_function(
        "() => { const open = window.jupyterapp?.shell?.currentWidget?.context?.sessionContext;"
        " return open?.session?.kernel?.status === 'idle' }",
        timeout=120_000,
    )
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")


def run_until_live(page: Any, count: int) -> None:
    """Run the notebook until so many views show LIVE; again if need be.

    A view stays deaf if the page took more than 2 s to set it up (anywidget gives up then): a loaded machine does.
    """
    for attempt in range(3):
        run_all(page)
        try:
            wait_live(page, count)
        except TimeoutError:
            if attempt == 2:
                raise
        else:
            return


def wait_live(page: Any, count: int) -> None:
    """Wait until at least so many views show LIVE; those out of sight stay empty, as they should."""
    from playwright.sync_api import TimeoutError as NotYet

    enough = "n => document.querySelectorAll('.rb-view[data-health=LIVE]').length >= n"
    try:
        page.wait_for_function(enough, arg=count, timeout=90_000)
    except NotYet:
        shown = page.evaluate(
            "[...document.querySelectorAll('.rb-view')].map(v => v.innerText.slice(0, 200))"
        )
        raise TimeoutError(f"fewer than {count} views were LIVE after 90 s: {shown}") from None
