"""Hypothesis strategies for Binance messages as bytes: every shape, any order, any spelling, and broken ones.

Values are drawn as JSON text, so that the spelling of a number is part of what is tested.
"""

import json
from dataclasses import dataclass

from hypothesis import strategies as st

from .scanning import INSTRUMENTS, KINDS, stream_of

ZEROS = ["0", "0.0", "0.000", "0.00000000", "00", "0.00000000000000000000"]
ODD_NUMBERS = [
    "", ".", "-", "1.", ".5", "+1", "-1", "-0", "-0.00", "1e5", "1E-2", "1.5e+3", "-1e5", "1e", "1e+", "0x10",
    " 1", "1 ", "1_0", "NaN", "Infinity", "1.2.3", "12a", "١", "00.10", "0" * 36 + "1", "1\\u0030",
    "0.123456789", "0.1234567890123456789", "0.000000001", "9223372036854775807", "9223372036854775808",
    "92233720368547758.07", "92233720368547758.08", "92233720368.54775807", "92233720368.54775808",
    "99999999.99999999", "100000000.00000000", "9" * 21, "12345678.1", "123456789.1", "1" * 400,
    "0." + "0" * 400, "0." + "0" * 400 + "1", "61730.170000000", "61730.170000001", "1.00000000",
    "1.000000001",
]  # fmt: skip
BARE = [
    "0",
    "1",
    "-0",
    "0.0",
    "12.5",
    "61730.17000000",
    "1e5",
    "1.5E-3",
    "-4",
    "9223372036854775807",
    "9" * 30,
]
ODD_VALUES = [
    "null", "true", "false", "0", "-1", "1.5", "1e3", "12345678901234567890", '"x"', '""', '"NA"', '"12"',
    "[]", "{}", "[[]]", '[["1","2"]]', '[["1"]]', '[["1","2","3",{}]]', '[[1,2],["3",4.5]]', '[["1","2"],[]]',
    '{"b":[1]}', '"\\u0041"', '[["1","2"] ,["1" , "2"]]', "[null]", "9223372036854775807",
    "9223372036854775808", "1e999", '"\\ud800"', '"\\""', "[" * 70 + "]" * 70,
]  # fmt: skip
EVENT_OF = {"diff": "depthUpdate", "trade": "trade", "aggregate": "aggTrade", "ticker": "bookTicker"}
STREAM_OF = {
    "diff": b"depth@100ms",
    "image": b"depth20@100ms",
    "trade": b"trade",
    "aggregate": b"aggTrade",
    "ticker": b"bookTicker",
}
# Field order on the wire, by product; "*" levels, "#" integers, "$" prices, "%" quantities.
WIRE = {
    "diff": ["e E# s U# u# b* a*", "e E# T# s ps U# u# pu# b* a* st"],
    "image": ["lastUpdateId# bids* asks*", "lastUpdateId# E# T# bids* asks*"],
    "trade": ["e E# s t# p$ q% T# m M", "e E# T# s t# p$ q% X m st", "e E# s t# p$ q% b# a# T# m"],
    "aggregate": ["e E# s a# p$ q% f# l# T# m M", "e E# a# s p$ q% nq f# l# T# m st"],
    "ticker": ["u# s b$ B% a$ A%", "e u# s ps b$ B% a$ A% T# E# st", "u# e s ps b$ B% a$ A% T# E#"],
}
EXTRA_KEYS = [*"pqtTEusUabBAmMXlfr", "pu", "ps", "nq", "x\x7f", "é", "stream", "data", "lastUpdateId"]
SPACES = ["", "", "", " ", "\n", "\t\r ", "  "]

any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value, ensure_ascii=isinstance(value, str)))
ids = st.integers(0, 2**44) | st.integers(0, 2**63 - 1)


@dataclass
class Message:
    """A message before it is spelled out: members as (key, JSON text), of the payload and around it."""

    members: list[tuple[str, str]]
    stream: bytes | None
    around: list[tuple[str, str]]
    data_first: bool

    def spell(self, space=lambda: "") -> bytes:
        def spelled(members: list[tuple[str, str]]) -> str:
            inside = (space() + "," + space()).join(
                json.dumps(key, ensure_ascii=False) + space() + ":" + space() + value
                for key, value in members
            )
            return "{" + space() + inside + space() + "}"

        text = spelled(self.members)
        if self.stream is not None:
            outer = [("stream", json.dumps(self.stream.decode(), ensure_ascii=False)), ("data", text)]
            text = spelled((outer[::-1] if self.data_first else outer) + self.around)
        return (space() + text + space()).encode()


@st.composite
def decimals(draw, digits: int, odd: bool) -> str:
    """A decimal as JSON text; on the grid of `digits` decimals unless odd."""
    if odd and draw(st.integers(0, 19)) == 0:
        return json.dumps(draw(st.sampled_from(ODD_NUMBERS)), ensure_ascii=False).replace("\\\\", "\\")
    if odd and draw(st.integers(0, 19)) == 0:
        return draw(st.sampled_from(BARE))
    if draw(st.integers(0, 4)) == 0:
        return f'"{draw(st.sampled_from(ZEROS))}"'
    whole = draw(st.integers(0, 10 ** draw(st.integers(1, 10))))
    places = draw(st.integers(0, 10))
    kept = min(places, digits)
    fraction = str(draw(st.integers(0, 10**kept - 1))).zfill(kept) if kept else ""
    text = f"{whole}.{fraction.ljust(places, '0')}" if places else str(whole)
    return f'"{text}"' if draw(st.integers(0, 15)) else text


@st.composite
def level_lists(draw, instrument, odd: bool) -> str:
    """A list of levels, now and then all printed alike as venues do."""
    price_digits, qty_digits = instrument.price_digits, instrument.qty_digits
    if draw(st.booleans()):
        size, places, most = (
            2 * draw(st.integers(0, 12)),
            draw(st.integers(0, 8)),
            10 ** draw(st.integers(1, 9)),
        )
        numbers = draw(st.lists(st.integers(0, most), min_size=size, max_size=size))
        texts = [f'"{n}' + ("." + "0" * places if places else "") + '"' for n in numbers]
    else:
        count = draw(st.integers(0, 5))
        texts = [draw(decimals(digits, odd)) for _ in range(count) for digits in (price_digits, qty_digits)]
    return "[" + ",".join(f"[{p},{q}]" for p, q in zip(texts[::2], texts[1::2], strict=True)) + "]"


@st.composite
def messages(draw, odd: bool = False) -> Message:
    """A message of any shape. Not odd: in the order of the wire and within the scales."""
    number = draw(st.integers(0, len(INSTRUMENTS) - 1))
    instrument, shape = INSTRUMENTS[number], draw(st.sampled_from(sorted(WIRE)))
    members = []
    for field in draw(st.sampled_from(WIRE[shape])).split():
        key, mark = field.rstrip("*#$%"), field[-1]
        if mark == "*":
            value = draw(level_lists(instrument, odd))
        elif mark == "#":
            value = str(draw(st.integers(0, 2**43 - 1) if key in "ET" else ids))
        elif mark in "$%":
            value = draw(decimals(instrument.price_digits if mark == "$" else instrument.qty_digits, odd))
        else:
            value = {
                "e": f'"{EVENT_OF.get(shape)}"',
                "s": json.dumps(instrument.symbol.decode(), ensure_ascii=False),
                "m": draw(st.sampled_from(["true", "false"])),
                "X": draw(st.sampled_from(['"MARKET"', '"NA"'])),
            }.get(key, draw(st.sampled_from(['"0.030"', "true", "1", "null"])))
        members.append((key, value))
    stream = STREAM_OF[shape]
    if shape == "diff" and draw(st.booleans()):
        stream = b"depth20@100ms"  # USD-M prints its images as diffs
    bare = shape != "image" and draw(st.integers(0, 3)) == 0
    return Message(members, None if bare else stream_of(instrument.symbol, stream), [], False)


@st.composite
def disturbed(draw) -> Message:
    """A message with its fields in any order, fields added, dropped, doubled or of another type."""
    message = draw(messages(odd=True))
    members = message.members
    if draw(st.booleans()):
        members[:] = draw(st.permutations(members))
    for _ in range(draw(st.integers(0, 2))):
        key = draw(st.sampled_from(EXTRA_KEYS))
        value = draw(any_json | st.sampled_from(ODD_VALUES))
        if key not in dict(members) or draw(st.integers(0, 9)) == 0:
            members.insert(draw(st.integers(0, len(members))), (key, value))
    fate, at = draw(st.integers(0, 19)), draw(st.integers(0, len(members) - 1))
    if fate == 0:
        del members[at]
    elif fate == 1:
        members[at] = (members[at][0], draw(st.sampled_from(ODD_VALUES)))
    elif fate == 2:
        members.append(members[at])
    elif fate == 3:
        message.stream = draw(st.sampled_from([b"", b"!ticker@arr", b"dogeusdt@trade", *routed_streams]))
    if message.stream is not None:
        message.data_first = draw(st.booleans())
        if draw(st.integers(0, 3)) == 0:
            key = draw(st.sampled_from(["x", "ts", "e", "s", "stream", "data"]))
            message.around = [(key, draw(any_json))]
    return message


routed_streams = [stream_of(INSTRUMENTS[0].symbol, stream) for stream in KINDS]


@st.composite
def spelled(draw, source=None) -> bytes:
    """A message's bytes, with white space here and there in one of four."""
    message = draw(disturbed() if source is None else source)
    if draw(st.integers(0, 3)):
        return message.spell()
    choices = iter(draw(st.lists(st.integers(0, len(SPACES) - 1), min_size=12, max_size=12)) * 200)
    return message.spell(lambda: SPACES[next(choices, 0)])


@st.composite
def mutated(draw) -> bytes:
    """A message with bytes changed, cut out, doubled or cut off."""
    data = bytearray(draw(spelled()))
    for _ in range(draw(st.integers(1, 3))):
        at, fate = draw(st.integers(0, max(0, len(data) - 1))), draw(st.integers(0, 4))
        length = draw(st.integers(1, 6))
        if fate == 0:
            data[at : at + 1] = bytes([draw(st.sampled_from(b'"\\{}[],:.-+0919eE \n\xff\x80\x00tfnu'))])
        elif fate == 1:
            del data[at : at + length]
        elif fate == 2:
            data[at:at] = data[at : at + length]
        elif fate == 3:
            del data[at:]
        else:
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
    return bytes(data)
