"""Memory orderings come in pairs: each PAIR label stands on the releasing and on the acquiring side."""

import re
from collections import defaultdict
from pathlib import Path

from ringbook.engine import kernels

LABEL = re.compile(r"# PAIR ([a-z0-9-]+)")
GIVES = ("store_release", "fence_release", "store_seq_cst", "fence_seq_cst")
TAKES = ("load_acquire", "fence_acquire", "load_seq_cst", "fence_seq_cst")


def labelled() -> dict[str, list[str]]:
    """The lines of code that carry each label."""
    found = defaultdict(list)
    for path in sorted(Path(kernels.__file__).parent.glob("*.py")):
        for line in path.read_text().splitlines():
            for label in LABEL.findall(line):
                found[label].append(line)
    return found


def test_every_label_has_both_sides() -> None:
    found = labelled()
    assert len(found) >= 9
    for label, lines in found.items():
        gives = [line for line in lines if any(name in line for name in GIVES)]
        takes = [line for line in lines if any(name in line for name in TAKES)]
        assert gives, f"PAIR {label} is never released"
        assert takes, f"PAIR {label} is never acquired"
        assert len(lines) >= 2, f"PAIR {label} stands alone"
        assert set(gives) | set(takes) == set(lines), f"PAIR {label} stands beside no ordering"


def test_every_ordering_is_labelled() -> None:
    """No release, acquire or fence without a word about its partner."""
    names = re.compile(r"\b(?:llvm\.)?(" + "|".join({*GIVES, *TAKES} - {"store_seq_cst"}) + r")\(")
    for path in sorted(Path(kernels.__file__).parent.glob("*.py")):
        if path.name == "llvm.py":
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if names.search(line):
                assert LABEL.search(line), f"{path.name}:{number}: {line.strip()}"
