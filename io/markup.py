"""What the HTML pictures of a notebook share: one style for light and dark pages, badges, safe text.

Nothing is loaded from elsewhere. Colours are mixed with the page's own text colour, and no background is
painted, so a picture suits whatever theme it is shown in. Where a host strips the style, plain tables remain.
"""

from datetime import UTC, datetime
from html import escape

__all__ = ["MEANINGS", "STYLE", "alarm", "badge", "card", "clock", "escape", "table"]

TONES = {
    "good": ("LIVE", "running"),
    "wait": ("INIT", "SYNCING", "stopped", "closed", "ended"),
}
MEANINGS = {
    "INIT": "nothing was asked for yet",
    "SYNCING": "a snapshot is on its way; until it is here this is not the book",
    "STALE": "was right, but may be old: the stream or the writer is silent",
    "GAP": "an update was lost: these prices are wrong or may be, until a snapshot has healed them",
    "DOWN": "fed by nobody: the connection is lost, or the writer stopped",
}
STYLE = """<style>
.rbk{font:12.5px/1.35 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
 display:inline-block;max-width:100%;margin:4px 0;color:inherit;font-variant-numeric:tabular-nums}
.rbk-h{display:flex;gap:10px;align-items:baseline;flex-wrap:wrap;margin-bottom:5px}
.rbk-h b{font-size:15px}
.rbk-d{opacity:.66}
.rbk-b{border-radius:3px;padding:1px 7px;color:#fff;font-weight:700;letter-spacing:.04em;background:#b3261e}
.rbk-good{background:#0b7a43}.rbk-wait{background:#8a5a00}
.rbk-a{border-left:5px solid #b3261e;background:rgba(214,48,38,.16);padding:5px 9px;margin:0 0 6px;font-weight:600;
 max-width:46em;white-space:pre-wrap;overflow-wrap:anywhere}
.rbk-a.rbk-wait{border-color:#c98a00;background:rgba(201,138,0,.16)}
.rbk table{border-collapse:collapse!important;border:0!important;margin:0!important;
 font:inherit!important;color:inherit}
.rbk tr{background:none!important;border:0!important}
.rbk td,.rbk th{padding:1px 10px!important;border:0!important;text-align:right!important;white-space:nowrap;
 font-size:inherit!important;color:inherit}
.rbk th{font-weight:400!important;opacity:.66;padding-bottom:3px!important}
.rbk td.rbk-l,.rbk th.rbk-l{text-align:left!important}
.rbk .rbk-0{--c:11,150,80}.rbk .rbk-1{--c:224,58,46}
.rbk td.rbk-p{font-weight:600;color:rgb(var(--c));color:color-mix(in srgb,rgb(var(--c)) 72%,currentColor)}
.rbk td.rbk-q{min-width:11em;
 background:linear-gradient(to left,rgba(var(--c),.34) var(--w),transparent var(--w))!important}
.rbk td.rbk-s{min-width:11em;
 background:linear-gradient(to left,rgba(var(--c),.15) var(--w),transparent var(--w))!important}
.rbk tr.rbk-m td{text-align:center!important;padding:4px 10px!important;
 border-top:1px solid rgba(128,128,128,.5)!important;border-bottom:1px solid rgba(128,128,128,.5)!important}
.rbk-off{opacity:.5}
.rbk-f{margin-top:5px;opacity:.66;font-size:11px}
</style>"""


def tone(word: str) -> str:
    """Class of a health or verdict: good, to be waited for, or bad."""
    return next((f"rbk-{name}" for name, words in TONES.items() if word in words), "rbk-bad")


def badge(word: str) -> str:
    """A health or verdict as a coloured badge."""
    return f'<span class="rbk-b {tone(word)}">{escape(word)}</span>'


def alarm(word: str, text: str) -> str:
    """A bar across the card that says loudly what is wrong."""
    return f'<div class="rbk-a {tone(word)}">{escape(text)}</div>'


def clock(wall_ns: int) -> str:
    """Time of day in UTC, with milliseconds."""
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3] + " UTC"


def table(headers: list[str], rows: list[list[str]], text_columns: tuple[int, ...] = (0,)) -> str:
    """A table of ready-made HTML cells; the columns named are text, the others numbers."""

    def line(tag: str, cells: list[str]) -> str:
        marks = [' class="rbk-l"' if at in text_columns else "" for at in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{m}>{c}</{tag}>" for m, c in zip(marks, cells, strict=True)) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', headers)}</thead><tbody>{body}</tbody></table>"


def card(*parts: str) -> str:
    """The whole picture of one object."""
    return f'{STYLE}<div class="rbk">{"".join(parts)}</div>'
