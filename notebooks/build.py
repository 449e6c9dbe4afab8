"""Execute the notebooks, judge them and write them: python notebooks/build.py [--check] [NAME...]

The text twin `NN-name.py` is the source; `NN-name.ipynb` is what it printed and drew in a fresh kernel of this Python.
With --check nothing is written.
"""

import argparse
import base64
import getpass
import io
import json
import os
import re
import socket
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import matplotlib.image
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

HERE = Path(__file__).resolve().parent
CELL_LINES = 14
BYTES_MAX = 400_000
SECONDS_MAX = 600  # one cell; the very first compiles the kernels
LEAST_SPREAD = 0.02  # standard deviation of a picture's brightness; a blank one has 0
FOREIGN_PATH = re.compile(r"(?<![\w.:/<])/(?:home|root|tmp|work|usr|var|opt|mnt|srv|dev/shm|Users)/\w")


def twins() -> list[Path]:
    """The text twins, in reading order."""
    return sorted(HERE.glob("[0-9][0-9]-*.py"))


def read(twin: Path) -> nbformat.NotebookNode:
    """The notebook of a twin, without outputs."""
    made = jupytext.read(twin, fmt="py:percent")
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "name": "python"},
    }
    for number, cell in enumerate(made.cells):
        cell.id, cell.metadata = f"cell-{number:02d}", {}
    return made


class ThisPython(KernelSpecManager):
    """Whatever kernels this user has installed: the notebooks run in the Python that builds them."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The kernel of this interpreter."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def execute(made: nbformat.NotebookNode) -> None:
    """Run every cell in a fresh kernel, with buses and settings of its own; the first error is raised."""
    with tempfile.TemporaryDirectory(prefix="ringbook-notebook-", dir="/dev/shm") as folder:
        settings = {"RINGBOOK_DIR": folder, "IPYTHONDIR": f"{folder}/ipython", "MPLBACKEND": ""}
        manager = AsyncKernelManager(transport="ipc", ip=f"{folder}/kernel", kernel_spec_manager=ThisPython())
        client = NotebookClient(
            made, km=manager, timeout=SECONDS_MAX, record_timing=False,
            coalesce_streams=True, store_widget_state=False,
            resources={"metadata": {"path": str(HERE)}},
        )  # fmt: skip
        client.execute(
            cleanup_kc=True, env={**os.environ, **settings}
        )  # a manager of ours is not ended otherwise
    for cell in made.cells:
        cell.metadata = {}


# ------------------------------------------------------------------ judging
def faults_of_twin(made: nbformat.NotebookNode) -> list[str]:
    """What is wrong with a notebook's cells, whatever they print."""
    found, code = [], "\n".join(cell.source for cell in made.cells if cell.cell_type == "code")
    first = made.cells[0]
    if first.cell_type != "markdown" or not re.match(r"# [^\n]+\?(\n|$)", first.source):
        found.append("the first cell is not a heading that asks a question")
    for number, cell in enumerate(made.cells):
        if cell.cell_type == "code" and len(cell.source.splitlines()) > CELL_LINES:
            found.append(f"cell {number} has {len(cell.source.splitlines())} lines, at most {CELL_LINES}")
    for what, pattern in (("1,000 records", r"assert .*>= 1_000\b"), ("a LIVE book", r'assert .*"LIVE"')):
        if not re.search(pattern, code):
            found.append(f"nothing asserts {what}")
    return found


def faults_of_pair(made: nbformat.NotebookNode, rendered: nbformat.NotebookNode) -> list[str]:
    """Where the rendered notebook is not that of its twin."""
    cells = [(cell.cell_type, cell.source) for cell in made.cells]
    shown = [(cell.cell_type, cell.source) for cell in rendered.cells]
    differing = [n for n, (a, b) in enumerate(zip(cells, shown, strict=False)) if a != b]
    if len(cells) != len(shown) or differing:
        return [f"{len(cells)} cells in the twin, {len(shown)} rendered; they differ in {differing}"]
    return []


def faults_of_outputs(rendered: nbformat.NotebookNode) -> list[str]:
    """What is wrong with what a notebook printed and drew."""
    found, pictures = [], 0
    private = {os.path.expanduser("~"), str(HERE.parent), socket.gethostname(), f"{getpass.getuser()}@"}
    private = {word for word in private if len(word) > 4 and word != "localhost"}
    for number, cell in enumerate(rendered.cells):
        if cell.cell_type == "code" and cell.source and cell.execution_count is None:
            found.append(f"cell {number} was not run")
        for output in cell.get("outputs", ()):
            text = json.dumps(
                {key: value for key, value in output.get("data", {}).items() if key != "image/png"}
            )
            text = text.replace("</", "<") + str(output.get("text", ""))
            if output.output_type == "error" or output.get("name") == "stderr":
                found.append(f"cell {number} failed or complained: {str(output)[:200]}")
            for word in [*FOREIGN_PATH.findall(text), *(one for one in private if one in text)]:
                found.append(f"cell {number} tells of this machine: {word}")
            if "image/png" in output.get("data", {}):
                pictures += 1
                if spread_of(output.data["image/png"]) < LEAST_SPREAD:
                    found.append(f"cell {number} drew a blank picture")
    return found if pictures else [*found, "there is no picture"]


def spread_of(packed: str) -> float:
    """Standard deviation of a PNG's brightness, 0 to 0.5."""
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(packed)))
    return float(pixels[..., :3].mean(axis=-1).std())


def build(twin: Path, is_check: bool) -> list[str]:
    """Execute one notebook and write it unless checking; what is wrong with it."""
    made = read(twin)
    try:
        execute(made)
    except (CellExecutionError, CellTimeoutError) as error:
        return [re.sub(r"\x1b\[[\d;]*m", "", str(error))]  # without colours
    text = nbformat.writes(made) + "\n"
    found = faults_of_twin(made) + faults_of_outputs(made)
    if len(text) > BYTES_MAX:
        found.append(f"{len(text):,} bytes, at most {BYTES_MAX:,}")
    if not is_check and not found:
        twin.with_suffix(".ipynb").write_text(text)
    return found


def main() -> int:
    """Build those named, or all; exit code 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a name; default: all")
    options, wrong = parser.parse_args(), 0
    for twin in twins():
        if options.names and not any(name in twin.stem for name in options.names):
            continue
        started = time.monotonic()
        found = build(twin, options.check)
        wrong += len(found)
        print(f"{twin.stem}: {time.monotonic() - started:.0f} s, {'; '.join(found) or 'good'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
