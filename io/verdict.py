"""Is what readers saw the truth? Sampled books compared with the exchange's own, at the same update id."""

import json
import math
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from ..engine import layout
from .demo_reader import SAMPLE_LEVELS, Sample
from .errors import RingbookError

TIMEOUT_S = 10.0


@dataclass
class Verdict:
    """Running count of compared books."""

    compared: int = 0
    wrong: int = 0
    unknown: int = 0  # ids the exchange has forgotten or has no book for
    first_wrong: str = ""
    full_books: dict[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Something was compared and everything agreed."""
        return self.compared > 0 and self.wrong == 0 and all(v == "equal" for v in self.full_books.values())


def ask(url: str, body: Any = None) -> Any:
    """GET, or POST a JSON body; the JSON reply. RingbookError when the exchange does not answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        detail = error.read().decode(errors="replace")[:200]
        error.close()
        raise RingbookError(f"{url} answered {error.code}: {detail}") from None
    except (urllib.error.URLError, TimeoutError) as error:
        raise RingbookError(f"{url} did not answer: {error}") from None


def mantissas(levels: Sequence[Sequence[str]], row: np.void) -> list[tuple[int, int]]:
    """Decimal strings at the scales of a symbol row."""
    price, qty = Decimal(10) ** int(row["price_digits"]), Decimal(10) ** int(row["qty_digits"])
    return [(int(Decimal(p) * price), int(Decimal(q) * qty)) for p, q in levels]


def compare_samples(rest_url: str, found: Sequence[Sample], rows: np.ndarray, verdict: Verdict) -> None:
    """Ask the exchange for the truth of every sample, in one request, and count."""
    if not found:
        return
    wanted = [[rows[s.symbol_id]["symbol"].decode(), s.update_id, SAMPLE_LEVELS] for s in found]
    answers = ask(f"{rest_url}/ringbook/truth/top", wanted)
    for sample, answer in zip(found, answers, strict=True):
        if "error" in answer:
            verdict.unknown += 1
            continue
        row = rows[sample.symbol_id]
        truth = tuple(mantissas(answer[side], row) for side in layout.SIDE_NAMES)
        verdict.compared += 1
        if truth != sample.sides:
            verdict.wrong += 1
            if not verdict.first_wrong:
                symbol = row["symbol"].decode()
                verdict.first_wrong = f"{symbol} at {sample.update_id}: saw {sample.sides}, truth {truth}"


def compare_full(rest_url: str, book: Any, verdict: Verdict) -> None:
    """Compare a whole book, inside the horizon up to which it claims to be complete."""
    truth = ask(f"{rest_url}/ringbook/truth?symbol={book.symbol}&update_id={book.last_update_id}")
    row = {"price_digits": book.price_digits, "qty_digits": book.qty_digits}
    for side, name in enumerate(layout.SIDE_NAMES):
        seen = [(int(price), int(qty)) for price, qty in book.levels[side].tolist()]
        want = mantissas(truth[name], row)  # type: ignore[arg-type]
        if math.isfinite(book.horizon[side]) and book.horizon[side] > 0:
            limit, sign = round(book.horizon[side] * 10**book.price_digits), 2 * side - 1
            seen, want = ([x for x in part if sign * x[0] <= sign * limit] for part in (seen, want))
        if seen != want:
            only = set(seen) ^ set(want)
            verdict.full_books[book.symbol] = f"{name} differ in {len(only)} levels, e.g. {sorted(only)[:2]}"
            return
    verdict.full_books[book.symbol] = "equal"
