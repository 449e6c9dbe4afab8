"""Faults in words: the command's help and its counts, and the reference page against the registry."""

import json
import re
import signal
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ringbook.io.cli import main
from ringbook.io.exchange.faults.kinds import KINDS, OPPORTUNITIES, described
from ringbook.io.exchange.faults.plan import Entry, entry_from_words, plan_from

from .source_tree import ROOT


def test_the_command_lists_and_helps(capsys, tmp_path):
    assert main(["exchange", "--list-faults"]) == 0
    assert capsys.readouterr().out.strip() == described()
    with pytest.raises(SystemExit):
        main(["exchange", "--help"])
    shown = capsys.readouterr().out
    for kind in KINDS.values():
        assert re.search(rf"^  {re.escape(kind.name)} +\S", shown, re.M), kind.name
    assert main(["exchange", "--fault", "losst"]) == 1
    assert "did you mean lost?" in capsys.readouterr().err
    assert main(["exchange", "--fault", "lost:symbols=NOPE"]) == 1
    assert "symbol was 'NOPE', expected one of BTCUSDT" in capsys.readouterr().err


PAGE = ROOT / "docs" / "faults.md"


def test_the_page_names_every_fault_as_the_registry_does():
    rows = {}
    for name, sees, parameters in re.findall(
        r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]*) \|", PAGE.read_text(), re.M
    ):
        rows[name] = (sees.strip(), re.findall(r"`(\w+)=([^`]+)`", parameters))
    expected = {
        kind.name: (kind.sees, [(name, str(one.default)) for name, one in kind.parameters.items()])
        for kind in KINDS.values()
    }
    assert rows == expected


def test_the_page_explains_every_level():
    text = PAGE.read_text()
    for level, opportunity in OPPORTUNITIES.items():
        assert f"## {level.capitalize()}" in text
        assert opportunity in text


def test_the_pages_plans_are_valid_and_show_every_fault():
    shown = set()
    for text in re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.M | re.S):
        tomllib.loads(text)
        shown |= {entry.kind.name for entry in plan_from(text).entries}
    assert shown == set(KINDS)


def test_the_command_lines_of_the_page_are_valid():
    found = re.findall(r"--fault (\S+)", Path(PAGE).read_text())
    assert found
    assert all(isinstance(entry_from_words(text), Entry) for text in found)


def test_the_command_injects_and_tells_its_counts_at_the_end(tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text('seed = 4\n[[fault]]\nkind = "failing"\nstatus = 502\n')
    arguments = (
        "--faults",
        str(plan),
        "--fault",
        "clock-skew:skew_s=-1",
        "--fault-seed",
        "5",
        "--die-with-parent",
    )
    served = subprocess.Popen(
        [sys.executable, "-m", "ringbook", "exchange", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert served.stdout is not None
        base = json.loads(served.stdout.readline())["rest"]
        with pytest.raises(urllib.error.HTTPError, match="502"):
            urllib.request.urlopen(base + "/api/v3/depth?symbol=BTCUSDT", timeout=30)
        facts: dict = {}
        while "clock-skew" not in facts.get("struck", {}):
            facts = json.load(urllib.request.urlopen(base + "/ringbook/faults", timeout=30))
        assert facts["seed"] == 5
    finally:
        served.send_signal(signal.SIGINT)
        said = served.communicate(timeout=30)[1].decode()
    assert said.splitlines() == ["fault clock-skew: struck 1 times", "fault failing: struck 1 times"]
