"""The notebooks are the manual: each asks one question, shows what it printed, and runs.

Structure is checked in the default run; `make notebooks` executes them all against the built-in exchange.
"""

import base64
import io
import os
import re
import subprocess
import sys

import matplotlib.image
import nbformat
import numpy as np
import pytest

from notebooks import build

from .source_tree import ROOT

TWINS = build.twins()
IDS = [twin.stem for twin in TWINS]
each = pytest.mark.parametrize("twin", TWINS, ids=IDS)
HEAD = nbformat.v4.new_markdown_cell("# Why?")
ASSERTS = nbformat.v4.new_code_cell('assert len(records) >= 1_000\nassert book.health == "LIVE"')


def rendered(twin):
    return nbformat.read(twin.with_suffix(".ipynb"), as_version=4)


def png(pixels):
    file = io.BytesIO()
    matplotlib.image.imsave(file, pixels, format="png")
    return base64.b64encode(file.getvalue()).decode()


def shown(**output):
    """A notebook whose only code cell put this out."""
    made = nbformat.v4.new_notebook(cells=[HEAD, nbformat.from_dict({**ASSERTS, "execution_count": 1})])
    made.cells[1].outputs = [nbformat.from_dict(output)]
    return made


def drawn(pixels):
    return shown(output_type="display_data", data={"image/png": png(pixels)}, metadata={})


def test_the_manual_has_its_six_chapters():
    assert [name[:2] for name in IDS] == ["01", "02", "03", "04", "05", "06"]


@each
def test_cells_are_short_and_the_first_asks_a_question(twin):
    assert not build.faults_of_twin(build.read(twin))


@each
def test_rendered_notebook_is_that_of_its_twin(twin):
    assert not build.faults_of_pair(build.read(twin), rendered(twin)), (
        f"run python notebooks/build.py {twin.stem}"
    )


@each
def test_outputs_are_whole_and_tell_nothing_of_a_machine(twin):
    assert not build.faults_of_outputs(rendered(twin))
    assert twin.with_suffix(".ipynb").stat().st_size <= build.BYTES_MAX


@each
def test_links_lead_somewhere(twin):
    text = "\n".join(cell.source for cell in build.read(twin).cells if cell.cell_type == "markdown")
    missing = [
        target for target in re.findall(r"\]\(([^)#\s]+)\)", text) if not (twin.parent / target).exists()
    ]
    assert not missing


# ------------------------------------------------------------------ the judge itself
def test_judge_of_cells_sees_each_fault():
    def faults(*cells):
        return build.faults_of_twin(nbformat.v4.new_notebook(cells=list(cells)))

    assert not faults(HEAD, ASSERTS)
    assert faults(nbformat.v4.new_markdown_cell("# A statement"), ASSERTS)
    assert faults(HEAD)
    assert not faults(HEAD, ASSERTS, nbformat.v4.new_code_cell("\n".join("x" * build.CELL_LINES)))
    assert faults(HEAD, ASSERTS, nbformat.v4.new_code_cell("\n".join("x" * (build.CELL_LINES + 1))))


def test_judge_of_pairs_sees_a_changed_cell():
    one = nbformat.v4.new_notebook(cells=[HEAD, ASSERTS])
    assert not build.faults_of_pair(one, one)
    assert build.faults_of_pair(one, nbformat.v4.new_notebook(cells=[HEAD]))
    assert build.faults_of_pair(one, nbformat.v4.new_notebook(cells=[HEAD, nbformat.v4.new_code_cell("x")]))


def test_judge_of_outputs_sees_blank_pictures():
    stripes = np.tile([[0.0, 1.0]], (20, 10))
    assert not build.faults_of_outputs(drawn(stripes))
    assert build.faults_of_outputs(drawn(np.zeros((20, 20))))
    assert build.faults_of_outputs(nbformat.v4.new_notebook(cells=[HEAD]))


@pytest.mark.parametrize(
    "output",
    [
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
        {"output_type": "stream", "name": "stderr", "text": "a warning"},
        {"output_type": "stream", "name": "stdout", "text": "saved to /" + "home/someone/x"},
        {"output_type": "stream", "name": "stdout", "text": f"in {ROOT}/x"},
        {"output_type": "display_data", "data": {"text/html": "<b>/" + "tmp/x</b>"}, "metadata": {}},
    ],
)
def test_judge_of_outputs_sees_failures_and_machines(output):
    good = drawn(np.tile([[0.0, 1.0]], (20, 10)))
    bad = good.copy()
    bad.cells = [*good.cells, *shown(**output).cells[1:]]
    assert not build.faults_of_outputs(good)
    assert build.faults_of_outputs(bad)


def test_judge_of_outputs_sees_a_cell_that_was_not_run():
    made = drawn(np.tile([[0.0, 1.0]], (20, 10)))
    made.cells[1].execution_count = None
    assert build.faults_of_outputs(made)


# ------------------------------------------------------------------ make notebooks
@pytest.mark.notebooks
@each
def test_notebook_runs(twin):
    """In a fresh kernel, through the command that writes it."""
    path = f"{ROOT / 'src'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = subprocess.run(
        [sys.executable, str(build.HERE / "build.py"), "--check", twin.stem],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
