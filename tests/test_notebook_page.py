"""The examples of docs/notebook.md run as they stand, in order, against the demo they speak of."""

from collections.abc import Iterator

import pytest

import ringbook
from ringbook.io.background import Demo

from .test_docs import ROOT, fenced

START, *READING = fenced(ROOT / "docs" / "notebook.md", "python")


def run(example: str) -> None:
    exec(compile(example, "docs/notebook.md", "exec"), {"__name__": "example"})


@pytest.fixture(scope="module")
def demo(bus_directory) -> Iterator[Demo]:
    """The demo as its first example leaves it, started again."""
    before = {found.name for found in ringbook.ls()}
    run(START)
    assert {found.name for found in ringbook.ls()} <= before
    with ringbook.demo() as made:
        yield made


@pytest.mark.parametrize("number", range(len(READING)))
def test_examples_run(demo, capsys, number):
    run(READING[number])
    assert capsys.readouterr().out


def test_there_are_examples():
    assert len(READING) >= 3 and "ringbook.demo()" in START
