"""docs/analysis.md tells the truth: every function with its formula and source, and examples that run."""

import doctest
import inspect
import re

import numpy as np

from ringbook import analysis
from ringbook.engine import layout

from .model import analysis as model
from .model import analysis_series as model_series
from .recorded_records import recorded_records
from .source_tree import ROOT

TEXT = (ROOT / "docs" / "analysis.md").read_text()
FUNCTIONS = {name: getattr(analysis, name) for name in analysis.__all__ if name != "AnalysisError"}


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_function_has_a_row_with_formula_and_source():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", section("Functions"), re.M)
    assert sorted(name for name, _, _ in rows) == sorted(FUNCTIONS)
    for name, _, source in rows:
        said = inspect.getdoc(FUNCTIONS[name])
        for year in re.findall(r"\b(?:19|20)\d\d\b", source):
            assert year in said or name == "book_at", f"{name}: {year} is not in its docstring"


def test_docstrings_give_formula_source_and_answer():
    for name, function in FUNCTIONS.items():
        said = inspect.getdoc(function)
        assert re.search(r"^Returns ", said, re.M), name
        if name != "book_at":
            assert re.search(r"^Source ", said, re.M), name
        if name not in ("book_at", "rows_at"):
            assert re.search(r"^Formula ", said, re.M), name


def test_shared_arguments_are_described():
    described = set(re.findall(r"^\| `(\w+)` \|", section("What all of them share"), re.M))
    shared = {"records", "symbol", "table", "kind", "holes"}
    assert described == shared
    for name, function in FUNCTIONS.items():
        assert {"records", "symbol", "table"} <= set(inspect.signature(function).parameters), name


def test_recorded_measures_are_the_oracle_s():
    """A stretch of real records, exactly for what is counted and summed."""
    records, _ = recorded_records(20_000)
    part = records[:700]
    rows = model.read(part)
    flow = analysis.order_flow_imbalance(part, 5, 10**9)
    expected = model.order_flow(rows, 0, layout.KIND_BOOK, 5, 10**9, True)
    assert {at: value for at, value in enumerate(flow["event"].tolist()) if value == value} == {
        at: float(event) for at, (event, _) in expected.items()
    }
    assert len(expected) > 20
    for unit, size in (("time", 10**9), ("volume", 10**6), ("tick", 10)):
        wanted = model_series.bars(rows, 0, unit, size, True)
        found = analysis.bars(part, unit, size)
        assert found["qty"].tolist() == [row[9] for row in wanted]
        assert found["close"].tolist() == [row[8] for row in wanted]
        assert len(found) > 2
    swept = analysis.sweeps(part, 2)
    assert swept["qty"].tolist() == [row[4] for row in model.sweeps(rows, 0, 2, 0, True)]
    passed = analysis.trade_throughs(part, kind="TICKER")["levels_passed"].tolist()
    assert passed == [row[2] for row in model.throughs(rows, 0, layout.KIND_TICKER, True)]
    assert len(swept) > 2 and passed


def test_examples_on_recorded_data():
    records, table = recorded_records(20_000)
    assert f"{len(records):,} records" in TEXT
    names = {"analysis": analysis, "records": records, "table": table, "np": np}
    (block,) = re.findall(r"^```pycon\n(.*?)^```", TEXT, re.M | re.S)
    test = doctest.DocTestParser().get_doctest(block, names, "analysis.md", "docs/analysis.md", 0)
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert not said, "".join(said)
