"""Recorded frames through real sockets; the whole story is in real.py."""

import pytest

from . import real


@pytest.mark.proof
@pytest.mark.parametrize("source", ["direct", "plain"])
@pytest.mark.parametrize("case", real.CASES, ids=lambda case: case.venue)
def test_books_equal_the_oracle(case: real.Case, source: str) -> None:
    folder = real.recordings()
    if not all(path.is_file() for path in case.paths(folder)):
        pytest.skip(f"no recordings in {folder}; set RINGBOOK_RECORDINGS")
    done = real.run_case(case, folder, source)
    assert done["book"] == "equal"
