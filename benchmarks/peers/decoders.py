"""JSON decoders of the package index: text to Python values, message after message."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .job import Contestant, Job, digest, mantissas, sampled

Levels = tuple[Any, Any]  # bids, asks


def contestant(decode: Callable[[bytes], Levels]) -> Contestant:
    """A contestant that decodes one message at a time and throws the values away."""

    def make(job: Job) -> tuple[Callable[[], Any], Callable[[], Any]]:
        def run() -> None:
            for text in job.messages:
                decode(text)

        def answer() -> str:
            return digest(
                [[mantissas(side, job.digits) for side in decode(text)] for text in sampled(job.messages)]
            )

        return run, answer

    return make


def by_orjson() -> Contestant:
    """Parsed, prices still text."""
    from orjson import loads

    def decode(text: bytes) -> Levels:
        data = loads(text)["data"]
        return data["b"], data["a"]

    return contestant(decode)


def by_orjson_as(kind: type) -> Contestant:
    """Parsed, each price and quantity turned into a number."""
    from orjson import loads

    def decode(text: bytes) -> Levels:
        data = loads(text)["data"]
        return [(kind(p), kind(q)) for p, q in data["b"]], [(kind(p), kind(q)) for p, q in data["a"]]

    return contestant(decode)


def by_msgspec(kind: type) -> Contestant:
    """Parsed into typed structs; numbers are made of text inside its C code."""
    import msgspec

    side = list[tuple[kind, kind]]  # type: ignore[valid-type]
    numbers = [(name, int) for name in "EUu"]
    data = msgspec.defstruct("Data", [("e", str), ("s", str), ("b", side), ("a", side), *numbers])
    message = msgspec.defstruct("Message", [("stream", str), ("data", data)])
    decoder = msgspec.json.Decoder(message, strict=False)

    def decode(text: bytes) -> Levels:
        found = decoder.decode(text).data
        return found.b, found.a

    return contestant(decode)


def by_simdjson() -> Contestant:
    """Parsed by one parser that is used again, prices to float."""
    import simdjson

    parser = simdjson.Parser()

    def decode(text: bytes) -> Levels:
        data = parser.parse(text)["data"]
        bids = [(float(p), float(q)) for p, q in data["b"].as_list()]
        asks = [(float(p), float(q)) for p, q in data["a"].as_list()]
        return bids, asks

    return contestant(decode)


# Name → (package, what makes it).
CONTESTANTS: dict[str, tuple[str, Callable[[], Contestant]]] = {
    "orjson, text": ("orjson", by_orjson),
    "orjson + float": ("orjson", lambda: by_orjson_as(float)),
    "orjson + Decimal": ("orjson", lambda: by_orjson_as(Decimal)),
    "msgspec struct, text": ("msgspec", lambda: by_msgspec(str)),
    "msgspec struct, float": ("msgspec", lambda: by_msgspec(float)),
    "pysimdjson + float": ("pysimdjson", by_simdjson),
}
