"""Instrument files: both formats, and errors that name the file, what was found and what was expected."""

import json

import pytest

from ringbook.engine.instruments import Instrument
from ringbook.io.errors import RingbookError
from ringbook.io.instrument_file import load_instruments
from ringbook.io.venues.base import get_venue

SPOT = get_venue("binance-spot")


def entry(symbol: str, tick: str, step: str, **more) -> dict:
    filters = [{"filterType": "PRICE_FILTER", "tickSize": tick}, {"filterType": "LOT_SIZE", "stepSize": step}]
    return {"symbol": symbol, "status": "TRADING", "filters": filters, **more}


def test_toml_tables(tmp_path):
    path = tmp_path / "steps.toml"
    path.write_text(
        '[BTCUSDT]\ntick = "0.01"\nstep = "0.00001"\n["币安人生USDT"]\ntick = "0.0001"\nstep = "1"\n', "utf-8"
    )
    assert load_instruments(path, SPOT) == {
        b"BTCUSDT": Instrument(b"BTCUSDT", 2, 5, 1, 1),
        "币安人生USDT".encode(): Instrument("币安人生USDT".encode(), 4, 0, 1, 1),
    }


def test_exchange_info(tmp_path):
    path = tmp_path / "info.json"
    listed = [
        entry("BTCUSDT", "0.01000000", "0.00001000", baseAssetPrecision=8),
        entry("PEPEUSDT", "1e-8", "1"),
    ]
    path.write_text("\n " + json.dumps({"symbols": listed}))
    found = load_instruments(path, SPOT)
    assert found[b"BTCUSDT"] == Instrument(b"BTCUSDT", 2, 8, 1, 1000)
    assert found[b"PEPEUSDT"].price_digits == 8


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[BTCUSDT", "not TOML"),
        ("# nothing\n", "holds no instrument"),
        ('{"symbols": []}', "holds no instrument"),
        ('{"symbols": 1}', "expected an object with a list `symbols`"),
        ('{"symbols": [{"symbol": "A", "filters": []}]}', "no tickSize in its PRICE_FILTER"),
        ("tick = '0.01'\n", "expected a table such as"),
        ("[A]\ntick = '0.01'\n", r"A was \['tick'\], expected a table"),
        ("[A]\ntick = 0.01\nstep = '1'\n", "tick was 0.01, expected decimal text in quotes"),
        ("[A]\ntick = '0'\nstep = '1'\n", "expected more than 0"),
        ("[A]\ntick = 'x'\nstep = '1'\n", "expected decimal text"),
    ],
)
def test_bad_files_are_explained(tmp_path, text, told):
    path = tmp_path / "bad"
    path.write_text(text)
    with pytest.raises(RingbookError, match=told) as caught:
        load_instruments(path, SPOT)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{path}: ")


def test_unreadable_files_are_explained(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe[A]")
    for path, told in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "binary", "TOML"),
    ):
        with pytest.raises(RingbookError, match=told):
            load_instruments(path, SPOT)
