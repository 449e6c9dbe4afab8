"""A writer at full speed laps a reader in another process; nothing torn may be accepted."""

import subprocess
import sys

import pytest

from ringbook.engine.layout import READ_LAPPED, READ_OK

SECONDS = 1.5


@pytest.mark.parametrize("slots", [2, 4])
def test_lapped_readers_accept_nothing_torn(tmp_path, slots: int) -> None:
    tmp_path.chmod(0o700)
    child = [sys.executable, "-m", "tests.bus_child"]
    command = [*child, "flood", str(tmp_path), "torture", str(slots), str(6 * SECONDS + 8)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline().strip() == "ready"
        reader = subprocess.run(
            [*child, "hammer", tmp_path, "torture", str(SECONDS)], capture_output=True, text=True, timeout=60
        )
        assert reader.returncode == 0, reader.stderr
        tally = [int(value) for value in reader.stdout.split()]
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    wrong, before_copy, after_copy = tally[5:]
    assert wrong == 0
    assert tally[READ_OK] > 1_000
    assert tally[READ_LAPPED] == before_copy + after_copy
    assert before_copy > 100
    assert after_copy > 0
