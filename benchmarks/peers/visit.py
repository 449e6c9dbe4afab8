"""The peers' interpreter from outside: found, started, asked, and what it lacks or has too old, named."""

import json
import os
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

from ..frames import PROJECT
from . import child

OWN = PROJECT / ".venv-peers" / "bin" / "python"
OLDEST = (3, 13)
# The newest releases when this was written; an older one is outdated, not beaten.
NEWEST = {"order-book": (1, 1), "cryptofeed": (3, 0), "nautilus_trader": (1, 231)}


def interpreter(named: str) -> tuple[str, str]:
    """The peers' Python, and why it cannot be used; the latter empty when it can."""
    path = named or os.environ.get("RINGBOOK_PEERS_PYTHON") or str(OWN)
    if not Path(path).exists():
        return "", f"{path} does not exist; `make peers` makes {OWN.relative_to(PROJECT)}"
    words = [path, "-c", "import sys; print(*sys.version_info[:2])"]
    found = tuple(map(int, subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()))
    if found < OLDEST:
        return (
            "",
            f"{path} is Python {found[0]}.{found[1]}, expected 3.13 or later, for older ones get old releases",
        )
    return path, ""


def numbers(version: str) -> tuple[int, ...]:
    """1.231.0 as (1, 231, 0)."""
    return tuple(int(word) for word in version.split(".") if word.isdigit())


class Peers:
    """The process of the peers."""

    def __init__(self, python: str) -> None:
        words = [python, "-m", "benchmarks.peers.child"]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self.process = subprocess.Popen(
            words, cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = self.play({"part": "about"})
        self.packages = {
            name: package for part in child.PARTS.values() for name, (package, _) in part.CONTESTANTS.items()
        }

    def __enter__(self) -> "Peers":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.communicate(timeout=30)

    def play(self, order: dict[str, Any]) -> dict[str, Any]:
        """One job done over there."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(
                f"the peers' process ended at {order.get('who', 'its start')}; see its error above"
            )
        return json.loads(line)

    def version(self, name: str) -> str:
        """The version of a contestant's package; empty when absent."""
        return self.facts["versions"][self.packages[name]]

    def present(self, part: ModuleType) -> list[str]:
        """The part's contestants that are installed."""
        return [name for name in part.CONTESTANTS if self.version(name)]

    def outdated(self, package: str) -> bool:
        """Whether a package is older than what is known to exist."""
        return numbers(self.facts["versions"][package]) < NEWEST.get(package, ())

    def label(self, name: str) -> str:
        """A contestant's name in the tables."""
        return f"{name} {self.version(name)}" if name == self.packages.get(name) else name

    def judge(self, name: str, ratio: float) -> str:
        """The ratio, or why it proves nothing."""
        return f"outdated ({ratio:.1f}x)" if self.outdated(self.packages[name]) else f"{ratio:.1f}x"

    def describe(self) -> str:
        """One line: versions, then what is absent or outdated."""
        here = {package: version for package, version in self.facts["versions"].items() if version}
        absent = sorted(set(self.facts["versions"]) - set(here))
        lines = [
            f"Peers: Python {self.facts['python']}, " + ", ".join(f"{p} {v}" for p, v in here.items()) + "."
        ]
        lines += [f"Skipped, because not installed: {', '.join(absent)}."] if absent else []
        old = [package for package in here if self.outdated(package)]
        lines += [f"Outdated, so not beaten: {', '.join(old)}."] if old else []
        return " ".join(lines)
