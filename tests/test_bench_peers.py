"""The benchmark beside Python peers: how answers are compared, and that a peer's process plays and is judged."""

import sys
from decimal import Decimal

import pytest

from benchmarks import yardstick
from benchmarks.peers import __main__ as parts
from benchmarks.peers import decoders, job, ours, transports
from benchmarks.peers.visit import Peers, interpreter

DIGITS = (2, 8)


@pytest.mark.parametrize("kind", [str, float, Decimal])
def test_levels_of_any_kind_become_the_same_integers(kind):
    texts = [("60000.01", "0.00000001"), ("0.29", "123456.78900000")]
    levels = [tuple(map(kind, level)) for level in texts]
    assert job.mantissas(levels, DIGITS) == [[6_000_001, 1], [29, 12_345_678_900_000]]


def test_messages_come_back_from_their_file(tmp_path):
    messages = [b"a", b"", b"{}" * 500]
    assert job.unpack(yardstick.pack(tmp_path / "messages", messages)) == messages


def test_an_interpreter_that_is_absent_or_old_is_refused_with_a_reason(tmp_path):
    assert "make peers" in interpreter(str(tmp_path / "python"))[1]
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\necho 3 11\n")
    old.chmod(0o755)
    assert "expected 3.13 or later" in interpreter(str(old))[1]
    old.write_text("#!/bin/sh\necho 3 14\n")
    assert interpreter(str(old)) == (str(old), "")


def test_a_peer_comes_to_our_answer_or_fails_the_run(tmp_path):
    made = ours.generated(40)[1:]
    order = parts.order_of("decode", yardstick.pack(tmp_path / "made", made), core=0)
    with Peers(sys.executable) as peers:
        names = [name for name in peers.present(decoders) if name.startswith("orjson")]
        rows = parts.duel(peers, order, lambda: ours.decode(job.Job(made)), names, 1, 40.0)
        assert [row[0] for row in rows] == names
        with pytest.raises(AssertionError, match="another answer"):
            parts.duel(peers, order, lambda: (1.0, "wrong"), names, 1, 40.0)


def test_our_book_and_our_handler_end_alike():
    messages = ours.generated(200)
    work = job.Job(messages[1:], messages[0], DIGITS)
    tops = [ours.book(work)[1], ours.handler(work, ours.LOOPED)[1], ours.handler(work, ours.CALLED)[1]]
    assert tops[0] == tops[1] == tops[2] and len(tops[0][0]) == job.TOP


def test_an_old_package_is_outdated_and_an_absent_one_named():
    with Peers(sys.executable) as peers:
        peers.facts["versions"] |= {"cryptofeed": "2.4.1", "picows": "", "order-book": "1.1.0"}
        assert peers.judge("cryptofeed, its Binance handler", 90.0) == "outdated (90.0x)"
        assert peers.judge("order-book, int", 12.0) == "12.0x"
        assert "Outdated, so not beaten: cryptofeed" in peers.describe()
        assert "picows" in peers.describe().split("not installed: ")[1]
        assert "picows" not in peers.present(transports)
