"""Files that change under a reader, links, planted names, absurd but legal sizes."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.io import bus, directory, header
from ringbook.io.attach import attach
from ringbook.io.errors import BusRefused
from ringbook.io.owner import Owner
from ringbook.io.reader import join

from .bus_tools import publish_book

SMALL = {"venue": "test", "symbol_capacity": 2, "slot_count": 64, "top_n": 5, "book_levels": 64}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory of our own with one bus "good", closed; another, "other", shall not notice anything."""
    tmp_path.chmod(0o700)
    for name in ("good", "other"):
        with bus.create(name, directory=tmp_path, **SMALL) as made:
            made.add_symbol(b"A", "test", 2, 3, 10, 1)
            for _ in range(40):
                publish_book(made)
    return tmp_path


UNDER_A_READER = """
import os, sys
from ringbook.engine.kernels import ring
from ringbook.io.reader import join
good, other = join("good", sys.argv[1]), join("other", sys.argv[1])
records = good.records(5)
words, geo = good.link.words, good.link.geo
print("mapped", len(records), len(other.records(5)), flush=True)
sys.stdin.readline()
def touch_what_was_cut_off():
    return ring.newest(words[1024:], geo)
touch_what_was_cut_off()
print("survived", flush=True)
"""


def reader_of(home: Path) -> subprocess.Popen:
    """A process that has mapped both buses and waits for a line."""
    child = subprocess.Popen(
        [sys.executable, "-c", UNDER_A_READER, str(home)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline().split() == ["mapped", "5", "5"]
    return child


def test_a_truncation_kills_only_who_touches_it_and_says_where(home: Path) -> None:
    """The kernel sends SIGBUS; faulthandler, which attaching turned on, names the line. Nobody else notices."""
    link, neighbour = attach("good", home), join("other", home)
    with bus.create("third", directory=home, **SMALL) as writer:
        writer.add_symbol(b"A", "test", 2, 3, 10, 1)
        child = reader_of(home)
        os.truncate(home / "good.ring", 4096)
        out, told = child.communicate("go\n", timeout=120)
        assert child.returncode == -7, "SIGBUS"
        assert "survived" not in out
        assert "Fatal Python error: Bus error" in told
        assert "in touch_what_was_cut_off" in told
        publish_book(writer)
        assert len(join("third", home).records(9)) == 1
        assert len(neighbour.records(9)) == 9
        # This process has the cut file mapped as well; it is told before a kernel goes there.
        with pytest.raises(
            BusRefused, match=r"was truncated to 4096 bytes while it was mapped, expected \d+"
        ):
            link.verdict()


def test_every_call_of_a_reader_looks_first(home: Path) -> None:
    reader = join("good", home)
    os.truncate(home / "good.ring", 8192)
    for call in (
        lambda: reader.records(1),
        lambda: reader.book("A"),
        reader.health,
        reader.counters,
        reader.follow,
    ):
        with pytest.raises(BusRefused, match="truncated to 8192 bytes while it was mapped"):
            call()


def test_an_extended_file_harms_nobody_who_has_it(home: Path) -> None:
    reader = join("good", home)
    os.truncate(home / "good.ring", 1 << 30)
    assert len(reader.records(9)) == 9
    with pytest.raises(BusRefused, match="truncated or extended"):
        attach("good", home)


def test_a_truncated_control_page_is_not_mapped(home: Path) -> None:
    os.truncate(home / "good.ctl", 0)
    assert attach("good", home).ctl is None


@pytest.mark.parametrize("suffix", [".lock", ".ring", ".ctl"])
def test_links_are_not_followed(home: Path, suffix: str) -> None:
    """Whatever a link points to is neither read as a bus, nor written to, nor removed."""
    target = home / "target"
    target.write_bytes(b"precious" * 1024)
    (home / f"good{suffix}").unlink()
    (home / f"good{suffix}").symlink_to(target)
    if suffix == ".ctl":
        assert attach("good", home).ctl is None
    elif suffix == ".ring":
        with pytest.raises(BusRefused, match="symbolic link"):
            attach("good", home)
    if suffix != ".ctl":
        with pytest.raises(BusRefused, match=r"Too many levels of symbolic links"):
            bus.create("good", directory=home, **SMALL)
    else:
        bus.create("good", directory=home, **SMALL).close()
    if suffix == ".lock":
        with pytest.raises(BusRefused, match="cannot be locked: Too many levels"):
            bus.rm("good", home)
    else:
        bus.rm("good", home)
    assert target.read_bytes() == b"precious" * 1024


def test_a_name_prepared_for_the_next_writer_is_not_used(home: Path) -> None:
    """The temporary name is our pid's: whatever lies there is removed, never opened or followed."""
    target = home / "target"
    target.write_bytes(b"precious")
    (home / f"new.ring.tmp.{os.getpid()}").symlink_to(target)
    (home / f"new.ctl.tmp.{os.getpid()}").write_bytes(b"x" * 4096)
    with bus.create("new", directory=home, **SMALL) as made:
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
        assert not made.path.is_symlink()
    assert target.read_bytes() == b"precious"


def test_the_umask_opens_nothing(home: Path) -> None:
    before = os.umask(0)
    try:
        bus.create("new", directory=home / "fresh", **SMALL).close()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home / "fresh").iterdir()}
    assert modes == {"new.ring": 0o600, "new.ctl": 0o600, "new.lock": 0o600}
    assert stat.S_IMODE((home / "fresh").stat().st_mode) == 0o700


def test_a_folder_that_everybody_can_rename_is_told(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    loose = home / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    bus.create("a", directory=loose / "own", **SMALL).close()
    assert "everybody can rename it (mode 0777, no sticky bit)" in caplog.text
    caplog.clear()
    loose.chmod(0o1777)
    bus.create("b", directory=loose / "own", **SMALL).close()
    assert "sticky" not in caplog.text


def test_an_absurd_but_legal_size_costs_nothing(home: Path) -> None:
    """A sparse file whose header agrees with its size: mapped without its holes becoming memory."""
    geo = layout.geometry(1 << 20, 50, 4096, layout.BOOK_LEVELS_DEFAULT)
    size = int(geo[layout.GEO_WORDS]) * 8
    page = np.zeros(layout.PAGE_BYTES, np.uint8)
    head = page.view(layout.header_dtype)[0]
    header.fill(head, geo, "test", Owner.current(), 1)
    head["generation"] = head["first_seq"] = head["head"] = 1
    head["writer_state"], head["init_state"] = layout.RUN, layout.READY
    path = home / "absurd.ring"
    path.write_bytes(page.tobytes())
    path.chmod(0o600)
    os.truncate(path, size)
    assert size > 3 << 30
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with join("absurd", home) as reader:
        assert len(reader.records(10)) == 0
        assert reader.symbols == []
        assert next(reader.follow(start="oldest", timeout_s=0.01), None) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # kilobytes: a gigabyte
    assert {one.name: one.verdict for one in bus.ls(home)}["absurd"] == "dead"


def test_a_cut_between_the_check_and_the_mapping_is_seen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validate = header.validate

    def and_cut(path: str, fd: int) -> tuple:
        found = validate(path, fd)
        os.truncate(home / "good.ring", 4096)
        return found

    monkeypatch.setattr(header, "validate", and_cut)
    with pytest.raises(BusRefused, match="cannot be mapped: mmap length is greater than file size"):
        attach("good", home)
    assert directory.bus_names(home) == ["good", "other"]
