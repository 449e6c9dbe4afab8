"""The command line: help, wrong arguments, places where `run` cannot run, exit codes."""

import argparse
import errno
import os
import sys
from pathlib import Path

import pytest

from ringbook.engine import jit, layout
from ringbook.engine.instruments import from_steps
from ringbook.io import bus, storage
from ringbook.io import run as running
from ringbook.io.cli import KINDS, build_parser, main

from .command import run

COMMAND = (sys.executable, "-m", "ringbook")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty bus folder that the commands use."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("RINGBOOK_DIR", str(tmp_path))
    return tmp_path


# ---------------------------------------------------------------- help and wrong arguments
def parsers() -> dict[str, argparse.ArgumentParser]:
    (chosen,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(chosen.choices)


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    shown = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(f"    {name} " in shown for name in parsers())


@pytest.mark.parametrize("name", parsers())
def test_every_option_of_every_command_is_explained(name, capsys):
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert caught.value.code == 0
    for action in parsers()[name]._actions:
        assert action.help, f"{name} {action.dest} has no help"
        assert all(option in shown for option in action.option_strings)


@pytest.mark.parametrize(
    "line",
    [
        "", "fly", "replay", "replay x", "tail --kind MUSIC", "tail -n 0", "tail -n x", "watch --levels 0",
        "replay x --venue binance-spot --top-n 51", "demo --source magic", "run --slots many", "ls --what",
    ],
)  # fmt: skip
def test_wrong_arguments_end_in_2(line, capsys):
    with pytest.raises(SystemExit) as caught:
        main(line.split())
    assert caught.value.code == 2
    assert "usage: ringbook" in capsys.readouterr().err


def test_what_the_parser_takes_and_a_command_refuses(home, capsys):
    for line in ("run", "run --venue nowhere --symbols A", "replay x --venue binance-spott", "rm ../x"):
        code, _, told = run(capsys, *line.split())
        assert (code, told.startswith("ringbook: ")) == (2, True), line
        assert "expected" in told


def test_kinds_offered_are_those_published():
    assert set(KINDS) == set(layout.KIND_NAMES.values())


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("ringbook ")


# ---------------------------------------------------------------- run, where it cannot
@pytest.fixture
def without_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` gets its instruments from here, so that it comes to making the bus."""

    async def known(self, symbols: tuple[str, ...]) -> list:
        return [from_steps(b"BTCUSDT", "0.01", "0.00001")]

    monkeypatch.setattr(running.Engine, "_instruments", known)


def follow_nothing(capsys, *more) -> tuple[int, str, str]:
    return run(capsys, "run", "--venue", "binance-spot", "--symbols", "BTCUSDT", "--bus", "full", *more)


@pytest.mark.usefixtures("without_venue")
def test_a_full_disk_is_explained(home, monkeypatch, capsys):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(storage.os, "posix_fallocate", full)
    code, _, told = follow_nothing(capsys)
    assert code == 1
    assert "MB free (" in told and "the bus needs" in told and "ringbook rm --all-dead" in told
    assert list(home.iterdir()) == []


@pytest.mark.usefixtures("without_venue")
def test_a_bus_folder_that_cannot_be_used_is_explained(home, capsys):
    (home / "file").write_text("")
    for folder, told in ((home / "file", "expected a directory"), (home / "file" / "x", "cannot")):
        code, _, text = follow_nothing(capsys, "--directory", folder)
        assert (code, told in text, str(folder) in text) == (1, True, True)
    if os.getuid():  # root may write anywhere
        home.chmod(0o500)
        code, _, text = follow_nothing(capsys)
        assert (code, "is not writable" in text) == (1, True)


@pytest.mark.usefixtures("without_venue")
def test_a_bus_with_a_living_owner_is_refused(home, capsys):
    with bus.create("full", directory=home, venue="test", symbol_capacity=1, slot_count=4, book_levels=64):
        code, _, told = follow_nothing(capsys)
    assert code == 1
    assert f"owned by pid {os.getpid()}" in told and "choose another bus name" in told


# ---------------------------------------------------------------- the rest
def test_warm_tells_what_it_did(monkeypatch, capsys):
    monkeypatch.setattr(jit, "prune", lambda: 0)  # the cache may serve other processes just now
    code, text, _ = run(capsys, "warm")
    assert code == 0
    assert "kernels ready in" in text and str(jit.cache_root()) in text
