"""The configuration: what is accepted, what wins, and how every mistake is explained."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ringbook.io.config import KINDS, RANGES, ConfigError, EngineConfig, load
from ringbook.io.errors import RingbookError
from ringbook.io.venues.base import UnknownVenue

from .source_tree import ROOT

GOOD: dict[str, Any] = {"venue": "binance-spot", "symbols": ["BTCUSDT"]}
WRONG: dict[str, list[Any]] = {
    "str": [1, 1.5, True, ["x"], {"x": 1}],
    "int": ["5", 5.0, True, [5], {}],
    "float": ["5", True, [1.0], {}],
    "bool": ["true", 1, 0.0, []],
    "strings": ["BTCUSDT", 1, [1], ["A", 2], {"A": 1}, True],
}
EXPECTED = {
    "str": "a string", "int": "a whole number", "float": "a number", "bool": "true or false",
    "strings": "a list of strings",
}  # fmt: skip
CASES = [(key, value) for key, kind in KINDS.items() for value in WRONG[kind]]


def refusal(tmp_path: Path, text: str | bytes, overrides: dict[str, Any] | None = None) -> str:
    path = tmp_path / "my.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(RingbookError) as caught:
        load(path, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(("key", "value"), CASES, ids=lambda one: repr(one)[:20])
def test_every_key_refuses_other_types(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, GOOD | {key: value})
    assert str(caught.value) == f"command line: {key} was {value!r}, expected {EXPECTED[KINDS[key]]}"


@pytest.mark.parametrize("key", RANGES)
def test_every_range_has_both_ends(key: str) -> None:
    for value, is_good in zip(around(*RANGES[key]), (False, True, True, False), strict=True):
        chosen = GOOD | {key: value}
        if key == "stale_floor_s":
            chosen["stale_ceiling_s"] = RANGES[key][1]
        if key == "stale_ceiling_s":
            chosen["stale_floor_s"] = RANGES[key][0]
        if is_good:
            assert getattr(load(None, chosen), key) == value
            continue
        with pytest.raises(ConfigError, match=f"{key} was ") as caught:
            load(None, chosen)
        assert f"expected {RANGES[key][0]}..{RANGES[key][1]}" in str(caught.value)


def around(low: float, high: float) -> tuple[float, ...]:
    step = 0.01 if isinstance(low, float) or high == 86_400 else 1
    return low - step, low, high, high + step


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", str(10**400)])
@pytest.mark.parametrize("key", ["silence_s", "pong_timeout_s"])
def test_numbers_beyond_all_ranges_are_refused(tmp_path: Path, key: str, text: str) -> None:
    said = refusal(tmp_path, f'venue = "binance-spot"\nsymbols = ["A"]\n{key} = {text}')
    assert key in said and "expected" in said


def test_a_whole_number_beyond_all_ranges_is_refused(tmp_path: Path) -> None:
    assert "slots was 1000" in refusal(tmp_path, f"slots = {10**400}")


def test_a_whole_number_of_seconds_is_a_number() -> None:
    silence_s = load(None, GOOD | {"silence_s": 7}).silence_s
    assert silence_s == 7.0 and isinstance(silence_s, float)


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path, "slot = 4") == f"{tmp_path}/my.toml: key 'slot' is unknown; did you mean 'slots'?"
    )
    said = refusal(tmp_path, "[quux]\nq = 1")
    assert "key 'quux' is unknown; known keys: venue, symbols" in said


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            load(path)
        assert str(path) in str(caught.value)
    assert "is not TOML" in refusal(tmp_path, "venue binance")
    assert "is not TOML" in refusal(tmp_path, "slots = 4\nslots = 8")
    assert "is not TOML" in refusal(tmp_path, f"slots = {'9' * 5000}")  # more digits than Python reads
    assert "is not UTF-8" in refusal(tmp_path, b"venue = '\xff'")


def test_what_must_be_there(tmp_path: Path) -> None:
    assert "venue is missing, expected for example binance-spot" in refusal(tmp_path, "")
    assert "symbols is missing" in refusal(tmp_path, 'venue = "binance-spot"')
    assert "symbols is missing" in refusal(tmp_path, 'venue = "binance-spot"\nsymbols = []')
    with pytest.raises(UnknownVenue, match="binance-usdm"):
        load(None, GOOD | {"venue": "binance-usd"})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"source": "turbo"}, "source was 'turbo', expected direct or plain"),
        ({"slots": 1000}, "slots was 1000, expected a power of two"),
        ({"symbols": ["A", "B", "A"]}, "symbols holds a symbol twice: A, B, A"),
        ({"symbols": ["A", ""]}, "symbol ''"),
        ({"symbols": ["币" * 22]}, "expected 1..64 bytes"),
        ({"streams": ["depth", "kline_1m"]}, "stream 'kline_1m' is not read"),
        ({"streams": ["depth50"]}, "stream 'depth50' is not read"),
        ({"symbols": ["A", "B"], "symbol_capacity": 1}, "symbol_capacity was 1, expected at least 2"),
        ({"stale_floor_s": 9.0, "stale_ceiling_s": 8.0}, "stale_floor_s was above stale_ceiling_s"),
    ],
)
def test_values_must_agree(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, GOOD | more)
    assert message in str(caught.value)


def test_the_command_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('venue = "binance-usdm"\nsymbols = ["A"]\ntop_n = 5\nspin = true\n', encoding="utf-8")
    chosen = load(path, {"top_n": 7, "spin": False, "symbols": ("B", "C"), "directory": tmp_path})
    assert (chosen.venue, chosen.symbols, chosen.top_n, chosen.spin) == ("binance-usdm", ("B", "C"), 7, False)
    assert chosen.directory == str(tmp_path)
    assert load(path) == EngineConfig("binance-usdm", ("A",), top_n=5, spin=True)


def test_symbols_in_any_script_are_accepted() -> None:
    assert load(None, GOOD | {"symbols": ["币安人生USDT"]}).symbols == ("币安人生USDT",)


def test_every_key_has_a_type_and_every_range_a_key() -> None:
    assert list(KINDS) == [field.name for field in fields(EngineConfig)]
    assert {key for key, kind in KINDS.items() if kind in ("int", "float")} == RANGES.keys()
    for field in fields(EngineConfig):
        if field.name in RANGES and isinstance(field.default, int | float):
            low, high = RANGES[field.name]
            assert low <= field.default <= high


def test_the_example_of_the_page_loads_and_shows_every_key(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)
    full = max(examples, key=len)
    (tmp_path / "full.toml").write_text(full, encoding="utf-8")
    assert load(tmp_path / "full.toml").venue
    assert set(tomllib.loads(full)) == KINDS.keys()
