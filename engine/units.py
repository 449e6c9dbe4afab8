"""Exact decimal text <-> scaled int64 mantissas, and venue time units to nanoseconds; imports nothing but re.

A mantissa is the number times 10**digits, where `digits` belongs to the instrument: "61601.50" at 2 digits is
6160150. Nothing is ever rounded: what does not fit raises ValueError.
"""

import re

INT64_MAX = (1 << 63) - 1
MAX_DIGITS = 18
MS_NS = 1_000_000
US_NS = 1_000

_DECIMAL = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?", re.ASCII)


def _split(text: str | bytes) -> tuple[bool, str, int]:
    """Decimal text as (is negative, significant digits, exponent of the last one); zero is ("", 0)."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "backslashreplace")
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"number was {text!r:.60}, expected decimal text like '61601.50'; check the source")
    sign, whole, fraction, power = match[1], match[2], match[3] or "", (match[4] or "0")
    digits = (whole + fraction).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return False, "", 0
    is_huge = len(power.lstrip("+-0")) > 6  # int() of a hostile exponent must stay cheap
    exponent = (-1 if power[0] == "-" else 1) * 10**6 if is_huge else int(power)
    return sign == "-", kept, exponent - len(fraction) + len(digits) - len(kept)


def is_decimal(text: str) -> bool:
    """Whether a text is a decimal of any size, as venues print them: no spaces, signs of grouping or words."""
    return _DECIMAL.fullmatch(text) is not None


def digits_of(step: str | bytes) -> int:
    """Decimals that a tick or step size needs: "0.01000000" -> 2, "1.00" -> 0, "1e-9" -> 9.

    Raises ValueError when it is not a positive decimal, or needs more than 18 decimals.
    """
    negative, digits, exponent = _split(step)
    if negative or not digits:
        raise ValueError(f"tick or step size was {step!r}, expected more than 0; check the filters")
    if -exponent > MAX_DIGITS:
        raise ValueError(
            f"tick or step size {step!r} needs {-exponent} decimals, expected at most {MAX_DIGITS}; "
            "such an instrument cannot be held in int64"
        )
    return max(0, -exponent)


def to_mantissa(text: str | bytes, digits: int) -> int:
    """Decimal text, exponents included, as the number times 10**digits.

    Raises ValueError when the text is no decimal, has non-zero decimals beyond `digits`, or leaves int64.
    """
    if not 0 <= digits <= MAX_DIGITS:
        raise ValueError(f"digits was {digits}, expected 0..{MAX_DIGITS}")
    negative, kept, exponent = _split(text)
    shift = exponent + digits
    if kept and shift < 0:
        raise ValueError(
            f"number {text!r:.60} has {-exponent} decimals, expected at most {digits}; "
            "read the instrument's tick and step sizes again"
        )
    if len(kept) + shift <= 19:
        mantissa = int(kept) * 10**shift if kept else 0
        mantissa = -mantissa if negative else mantissa
        if -INT64_MAX - 1 <= mantissa <= INT64_MAX:
            return mantissa
    raise ValueError(
        f"number {text!r:.60} at {digits} decimals leaves int64, expected at most "
        f"{to_text(INT64_MAX, digits)}; use fewer decimals for this instrument"
    )


def to_text(mantissa: int, digits: int) -> str:
    """Mantissa as decimal text without trailing zeros: 6160150 at 2 -> "61601.5", 0 -> "0"."""
    if not 0 <= digits <= MAX_DIGITS:
        raise ValueError(f"digits was {digits}, expected 0..{MAX_DIGITS}")
    value = int(mantissa)
    whole, fraction = divmod(abs(value), 10**digits)
    text = f"{whole}.{fraction:0{digits}d}".rstrip("0").rstrip(".") if fraction else str(whole)
    return f"-{text}" if value < 0 else text


def ms_to_ns(time_ms: int) -> int:
    """Milliseconds to nanoseconds."""
    return time_ms * MS_NS


def us_to_ns(time_us: int) -> int:
    """Microseconds to nanoseconds."""
    return time_us * US_NS
