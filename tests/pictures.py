"""HTML as a notebook would show it, on a light and on a dark page, drawn by Chromium when there is one."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

PAGE = """<!doctype html><meta charset="utf-8"><style>body{{margin:0;display:flex}}
section{{padding:16px;flex:1;font-family:system-ui,sans-serif}}
.light{{background:#fff;color:rgba(0,0,0,.87)}}.dark{{background:#111;color:rgba(255,255,255,.87)}}
.jp table{{font-size:12px;border:none;margin-bottom:1em}}.jp td{{padding:.5em;text-align:left}}
.jp tbody tr:nth-child(odd){{background:rgba(128,128,128,.15)}}</style>
<section class="light jp">{body}</section><section class="dark jp">{body}</section>"""


def page(fragments: Sequence[str]) -> str:
    """A page with the fragments twice: light on the left, dark on the right, rows striped as Jupyter does."""
    return PAGE.format(body="".join(f"<div>{fragment}</div>" for fragment in fragments))


def screenshot(fragments: Sequence[str], target: Path, width: int = 1400, height: int = 900) -> Path | None:
    """Draw them into a PNG; None when there is no Chromium here."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        return None
    source = target.with_suffix(".html")
    source.write_text(page(fragments))
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
    where = (f"--screenshot={target}", f"--window-size={width},{height}", f"--user-data-dir={target}.profile")
    subprocess.run([browser, *flags, *where, source.as_uri()], check=True, capture_output=True, timeout=120)
    return target
