"""The guided search: atheris watches the branches of the plain twins and breeds inputs that reach new ones.

libFuzzer owns its process and ends it, so the search runs in a child; the parent keeps what it found.
"""

import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ringbook.engine import jit

from . import corpus
from .seeds import SEEDS, dictionary
from .targets import TARGETS
from .twins import Mutant

SLACK_SECONDS = 120.0  # for starting under load, and for an input under way


@dataclass
class Outcome:
    """What a search saw."""

    target: str
    executions: int
    seconds: int
    findings: list[str]
    new_inputs: int = 0
    kept: int = 0

    def facts(self) -> dict:
        """As JSON."""
        return asdict(self)


# ---------------------------------------------------------------- in the child
def search(name: str, seconds: int, bred: Path, found: Path, seed: int, mutate: Mutant) -> None:
    """Hunt until the time is over; every new way to fail becomes a file in `found`. Never returns."""
    import atheris

    jit.warm(rooms=("frames", "binance"))
    target, known = TARGETS[name](mutate), set()
    plain = TARGETS[name](mutate)  # not slowed down by being watched

    def one(data: bytes) -> None:
        try:
            target.judge(data)
        except Exception:
            failure = corpus.failure_of(plain, data)
            if failure and failure not in known:
                known.add(failure)
                corpus.write(".", corpus.minimised(plain, data, failure), found)

    words = bred / "words.dict"
    words.write_text(dictionary())
    for function in target.watched:
        atheris.instrument_func(function)
    options = [
        f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={corpus.MAX_INPUT_BYTES}", f"-dict={words}",
        f"-artifact_prefix={found}/", "-timeout=60", "-rss_limit_mb=0", "-print_final_stats=1", "-len_control=20",
    ]  # fmt: skip
    with np.errstate(over="ignore"):
        atheris.Setup([sys.argv[0], *options, str(bred / "inputs")], one)
        atheris.Fuzz()


# ---------------------------------------------------------------- in the parent
def run(name: str, seconds: int, seed: int = 1, mutate: Mutant = None, keep: bool = False) -> Outcome:
    """Search in a child for so long; findings come minimised.

    mutate  a mistake put into a twin, to see it found
    keep    write inputs that reach new branches, and findings, into the corpus
    """
    with tempfile.TemporaryDirectory() as folder:
        bred, found = Path(folder, "bred"), Path(folder, "found")
        (bred / "inputs").mkdir(parents=True)
        found.mkdir()
        before = corpus.read(name)
        for data in (*SEEDS[name], *before.values()):
            corpus.write("inputs", data, bred)
        command = [sys.executable, "-m", "tests.fuzz", "search", "--target", name, "--seconds", str(seconds)]
        command += ["--seed", str(seed), "--bred", str(bred), "--found", str(found)]
        command += ["--mutate", *mutate] if mutate else []
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + SLACK_SECONDS,
            check=False,
        )
        ran = re.search(r"Done (\d+) runs in (\d+) second", done.stderr)
        findings = [path.read_bytes() for path in sorted(found.iterdir())]
        if ran is None and not findings:
            raise RuntimeError(f"the search for {name} ended with {done.returncode}: {done.stderr[-2000:]}")
        outcome = Outcome(name, int(ran[1]) if ran else 0, int(ran[2]) if ran else 0, [])
        outcome.findings = [data.hex() for data in findings]
        if keep:
            _keep(name, outcome, before, corpus.read("inputs", bred), findings)
    return outcome


def _keep(
    name: str, outcome: Outcome, before: dict[str, bytes], bred: dict[str, bytes], findings: list[bytes]
) -> None:
    """Add to the corpus what reaches further than all that is in it."""
    target = TARGETS[name](None)
    watch, seen = corpus.Watch(target), set()
    for data in (*SEEDS[name], *before.values()):
        seen |= watch.reached(data)
    for data in corpus.distinct(target, bred.values()):
        new = watch.reached(data) - seen
        if new:
            seen |= new
            corpus.write(name, data)
            outcome.new_inputs += 1
    for data in findings:
        corpus.write(name, data)
    outcome.kept = len(corpus.read(name))
