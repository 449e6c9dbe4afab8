"""Joining a bus file that is damaged, hostile or not there: refused with a reason, and never a crash."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.io import bus
from ringbook.io.attach import attach, only_bus
from ringbook.io.errors import BusNotFound, BusRefused, DirectoryRefused

from .bus_tools import publish_book

SMALL = {"venue": "test", "symbol_capacity": 2, "slot_count": 4, "top_n": 5, "book_levels": 64}
FIELDS = layout.header_dtype.fields


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with one bus, "good", closed."""
    tmp_path.chmod(0o700)
    with bus.create("good", directory=tmp_path, **SMALL) as made:
        made.add_symbol(b"A", "test", 2, 3, 10, 1)
        for _ in range(6):
            publish_book(made)
    return tmp_path


def damage(home: Path, field: str, value: int) -> None:
    """Overwrite one header field of "good"."""
    kind, offset = FIELDS[field][:2]
    with open(home / "good.ring", "r+b") as file:
        file.seek(offset)
        file.write(np.array(value, kind).tobytes())


def test_a_sound_bus(home: Path) -> None:
    link = attach("good", home)
    assert (link.generation, link.first_seq, link.top_n) == (1, 1, 5)
    assert not link.words.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        link.words[0] = 1


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("magic", 0, "magic was 0x0, expected 0x4b4f4f42474e4952"),
        ("byte_order", 0x0807060504030201, "byte order"),
        (
            "layout_major",
            99,
            f"layout version was 99, expected {layout.LAYOUT_MAJOR}.*same one on both sides",
        ),
        ("init_state", layout.NOT_READY, "init state was 0"),
        ("slot_count", 3, "slot_count was 3, expected a power of two"),
        ("slot_count", 1 << 62, "slot_count"),
        ("slot_count", -4, "slot_count"),
        ("top_n", 0, "top_n was 0"),
        ("symbol_capacity", 1 << 40, "symbol_capacity"),
        ("book_levels", -1, "book_levels"),
        ("slot_count", 8, "expected"),
        ("file_bytes", 1, "file_bytes was 1"),
        ("slot_bytes", 8, "slot_bytes was 8"),
        ("ring_off", 64, "ring_off was 64"),
        ("scratch_off", -8, "scratch_off was -8"),
        ("schema_hash", 1, "schema hash was 0x1.*another version"),
    ],
)
def test_damaged_headers(home: Path, field: str, value: int, message: str) -> None:
    damage(home, field, value)
    with pytest.raises(BusRefused, match=message):
        attach("good", home)
    assert bus.ls(home)[0].verdict == "refused"
    assert bus.ls(home)[0].problem


def test_a_later_minor_version_is_read(home: Path) -> None:
    damage(home, "layout_minor", 7)
    assert attach("good", home).generation == 1


@pytest.mark.parametrize("size", [0, 8, 4095, 4096, 8192, -1, +4096])
def test_wrong_sizes(home: Path, size: int) -> None:
    """Truncated or extended by anybody: refused before a byte is mapped."""
    path = home / "good.ring"
    os.truncate(path, size if size >= 0 and size != 4096 else path.stat().st_size + size)
    with pytest.raises(BusRefused, match="expected"):
        attach("good", home)


def test_what_is_not_a_file(home: Path) -> None:
    (home / "link.ring").symlink_to(home / "good.ring")
    (home / "folder.ring").mkdir()
    os.mkfifo(home / "pipe.ring")
    (home / "dev.ring").symlink_to("/dev/zero")
    expected = {"link": "symbolic link", "dev": "symbolic link", "folder": "regular", "pipe": "regular"}
    for name, message in expected.items():
        with pytest.raises(BusRefused, match=message):
            attach(name, home)


def test_modes_and_owners(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "good.ring").chmod(0o606)
    with pytest.raises(BusRefused, match=r"mode 0606.*chmod"):
        attach("good", home)
    (home / "good.ring").chmod(0o600)
    if os.getuid() == 0:
        os.chown(home / "good.ring", 12345, -1)
        with pytest.raises(BusRefused, match="belongs to uid 12345"):
            attach("good", home)
        os.chown(home / "good.ring", 0, -1)
        (home / "good.ctl").unlink()
        assert attach("good", home).ctl is None


def test_missing_buses_name_those_found(home: Path) -> None:
    with pytest.raises(BusNotFound, match=f"found in {home}: good"):
        attach("other", home)
    with pytest.raises(BusNotFound, match=r"ringbook\.demo\('\w+'\) starts one"):
        attach("good", home / "nowhere")
    home.chmod(0o777)
    with pytest.raises(DirectoryRefused, match="0777"):
        attach("good", home)
    home.chmod(0o700)
    assert only_bus(home) == "good"
    bus.create("second", directory=home, **SMALL).close()
    with pytest.raises(BusNotFound, match=r"found in .*: good, second; name one"):
        only_bus(home)


def probe(home: Path) -> subprocess.CompletedProcess:
    """Read all buses of a directory in a process of its own."""
    command = [sys.executable, "-m", "tests.bus_child", "probe", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_random_damage_is_refused_or_harmless(home: Path) -> None:
    """Words and whole stretches changed anywhere: every reader call ends, with a result or an error."""
    rng, image = random.Random(7), (home / "good.ring").read_bytes()
    extremes = [0, 1, -1, 1 << 62, -(1 << 63), (1 << 63) - 1, 0xFFFF, 1 << 32]
    for number in range(60):
        data = bytearray(image)
        for _ in range(rng.randint(1, 12)):
            at = rng.choice((rng.randrange(648), rng.randrange(len(data) - 8))) // 8 * 8
            if number % 3 == 0:
                at = rng.randrange(4096, len(data) - 8) // 8 * 8
            value = rng.choice(extremes) if rng.random() < 0.7 else rng.getrandbits(63)
            data[at : at + 8] = value.to_bytes(8, "little", signed=True)
        if number % 5 == 0:
            at = rng.randrange(4096, len(data) - 40_000)
            data[at : at + 40_000] = rng.randbytes(40_000)
        if number % 7 == 0:
            data = data[: rng.randrange(len(data))]
        (home / f"bad{number}.ring").write_bytes(data)
        (home / f"bad{number}.ring").chmod(0o600)
    done = probe(home)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "alive"
