"""Frame faults without a socket: what a line makes of frames, in virtual time, read back by a plain parser."""

import json
from random import Random

import pytest

from ringbook.io.exchange.faults.damage import PONG, flipped, fragments, framed, shifted_ids, skewed
from ringbook.io.exchange.faults.injector import Faults
from ringbook.io.exchange.faults.kinds import FRAME, KINDS
from ringbook.io.exchange.faults.line import Line
from ringbook.io.exchange.faults.plan import Plan, entry_from
from ringbook.io.exchange.faults.replies import Reply, damaged, refusal_of

from .model.frames import Frame, parse
from .test_fault_plan import Clock, faults_of

STREAM, SYMBOL = "btcusdt@depth@100ms", "BTCUSDT"


def payload(number: int) -> bytes:
    """The frame of update `number`."""
    event = {"e": "depthUpdate", "E": 1_700_000_000_000 + number, "s": SYMBOL, "U": number, "u": number}
    return json.dumps({**event, "b": [["99.00", "1.5"]], "a": []}, separators=(",", ":")).encode()


def sent(facts: dict, frames: int = 6, step_s: float = 0.0) -> list[tuple[float, bytes]]:
    """(time, segment) of `frames` frames with one fault at the third, and of the five seconds after them."""
    faults, clock = faults_of({"streams": [STREAM], **facts, "kind": facts["kind"]})
    line, out = Line(), []
    start_s = clock.now_s

    def take() -> None:
        out.extend((clock.now_s - start_s, segment) for segment in line.take(faults.now_s))

    quiet = faults_of()[0]
    for number in range(1, frames + 1):
        line.offer(faults if number >= 3 else quiet, STREAM, SYMBOL, payload(number))
        take()
        clock.now_s += step_s
    for _ in range(500):
        clock.now_s += 0.01
        take()
    assert line.waiting_bytes == 0
    return out


def numbers(out: list[tuple[float, bytes]]) -> list[int]:
    """Update ids in the order they came."""
    frames, verdict, rest = parse(b"".join(segment for _, segment in out), 1 << 20)
    assert (verdict, rest) == ("more", b"")
    return [json.loads(frame.payload)["u"] for frame in frames]


def test_lost_duplicated_reordered():
    assert numbers(sent({"kind": "lost"})) == [1, 2, 4, 5, 6]
    assert numbers(sent({"kind": "duplicated", "copies": 2})) == [1, 2, 3, 3, 3, 4, 5, 6]
    assert numbers(sent({"kind": "reordered"})) == [1, 2, 4, 3, 5, 6]
    assert numbers(sent({"kind": "reordered", "places": 3})) == [1, 2, 4, 5, 6, 3]
    late = sent({"kind": "reordered", "places": 100})
    assert numbers(late) == [1, 2, 4, 5, 6, 3]
    assert late[-1][0] == pytest.approx(1.0, abs=0.02)


def test_delayed_keeps_the_order():
    out = sent({"kind": "delayed", "delay_s": 2.0})
    assert numbers(out) == [1, 2, 3, 4, 5, 6]
    assert [round(at_s, 1) for at_s, _ in out] == [0.0, 0.0, 2.0, 2.0, 2.0, 2.0]


def test_truncated_and_corrupted_are_whole_frames():
    frames, verdict, _ = parse(b"".join(one for _, one in sent({"kind": "truncated", "keep": 0.9})), 1 << 20)
    assert (len(frames), verdict) == (6, "more")
    assert payload(3).startswith(frames[2].payload)
    assert 0 < len(frames[2].payload) < len(payload(3))
    frames, verdict, _ = parse(b"".join(one for _, one in sent({"kind": "corrupted", "bits": 5})), 1 << 20)
    assert (len(frames), verdict) == (6, "more")
    differing = int.from_bytes(frames[2].payload, "big") ^ int.from_bytes(payload(3), "big")
    assert differing.bit_count() == 5
    assert flipped(b"\0", 50, Random(1)) == b"\xff"


@pytest.mark.parametrize("how", KINDS["misframed"].parameters["how"].choices)
def test_misframed_breaks_the_protocol(how):
    data = b"".join(segment for _, segment in sent({"kind": "misframed", "how": how}))
    frames, verdict, _ = parse(data, 1 << 20)
    if how == "continuation" or (how == "any" and verdict == "more"):
        assert frames[2].opcode == 0  # a continuation of nothing
    else:
        assert (len(frames), verdict) == (2, "bad")


def test_merged_fragmented_segmented():
    out = sent({"kind": "merged", "frames": 3})
    assert numbers(out) == [1, 2, 3, 4, 5, 6]
    assert [len(parse(segment, 1 << 20)[0]) for _, segment in out] == [1, 1, 3, 1]
    lonely = sent({"kind": "merged", "frames": 100})
    assert [len(parse(segment, 1 << 20)[0]) for _, segment in lonely] == [1, 1, 4]

    frames, verdict, _ = parse(b"".join(one for _, one in sent({"kind": "fragmented", "pieces": 4})), 1 << 20)
    assert verdict == "more"
    assert [(one.opcode, one.final) for one in frames[2:6]] == [(1, False), (0, False), (0, False), (0, True)]
    assert b"".join(one.payload for one in frames[2:6]) == payload(3)
    assert len(fragments(b"ab", 7)) == 2

    out = sent({"kind": "segmented", "bytes": 1, "gap_s": 0.01})
    assert numbers(out) == [1, 2, 3, 4, 5, 6]
    assert [len(segment) for _, segment in out[2:-3]] == [1] * len(framed(payload(3)))
    assert out[-4][0] - out[2][0] == pytest.approx(0.01 * (len(framed(payload(3))) - 1), abs=0.03)


def test_mute_silences_one_stream_for_its_time():
    assert numbers(sent({"kind": "mute"})) == [1, 2]
    assert numbers(sent({"kind": "mute", "duration_s": 1.0}, step_s=0.4)) == [1, 2, 6]
    faults, _ = faults_of({"kind": "mute", "symbols": [SYMBOL]})
    line = Line()
    line.offer(faults, STREAM, SYMBOL, payload(1))
    line.offer(faults, "ethusdt@trade", "ETHUSDT", payload(2))
    assert line.take(faults.now_s) == [framed(payload(2))]
    assert not line.busy
    assert not line.idle  # a frame must not be written past it


def test_a_slow_line_dribbles_and_a_frozen_one_is_silent():
    faults, clock = faults_of(
        {"kind": "slow-frames", "bytes_per_s": 1000, "duration_s": 1}, {"kind": "half-open", "at_s": 5}
    )
    line = Line()
    for strike in faults.beat([1]):
        line.begin(strike)
    line.put(b"x" * 498, (), faults.now_s)
    line.put(b"pong", (), faults.now_s, PONG)  # behind it, not inside it
    out = []
    while line.next_s is not None:
        clock.now_s += 0.01
        out += line.take(faults.now_s)
    assert max(map(len, out)) == 20
    assert faults.now_s == pytest.approx(0.5, abs=0.03)
    assert parse(b"".join(out), 1000)[0] == [Frame(1, b"x" * 498), Frame(PONG, b"pong")]
    clock.now_s += 5
    line.put(b"whole", (), faults.now_s)
    assert line.take(faults.now_s) == [framed(b"whole")]
    (strike,) = faults.beat([1])
    line.put(b"waits", (), faults.now_s)
    line.begin(strike)
    line.put(b"lost", (), faults.now_s)
    assert (line.take(faults.now_s + 9), line.waiting_bytes, line.next_s, line.busy) == ([], 0, None, True)


FRAME_KINDS = [kind.name for kind in KINDS.values() if kind.level == FRAME]


def drive(seed: int) -> tuple[Faults, list[bytes]]:
    """All frame faults together on one line for a hundred virtual seconds."""
    entries = [{"kind": name, "probability": 0.02} for name in FRAME_KINDS]
    entries[FRAME_KINDS.index("mute")] |= {"duration_s": 0.5}
    clock = Clock()
    faults = Faults([SYMBOL], Plan(tuple(map(entry_from, entries)), seed), clock)
    line, out = Line(), []
    for number in range(1, 1001):
        line.offer(faults, STREAM, SYMBOL, payload(number))
        clock.now_s += 0.1
        out += line.take(faults.now_s)
    return faults, out


def test_every_frame_fault_fires_a_hundred_times_across_seeds_and_repeats_by_seed():
    struck: dict[str, int] = dict.fromkeys(FRAME_KINDS, 0)
    for seed in range(10):
        faults, out = drive(seed)
        again, same = drive(seed)
        assert out == same
        assert faults.ledger.since(0) == again.ledger.since(0)
        for name, count in faults.struck.items():
            struck[name] += count
    assert min(struck.values()) >= 100, struck


# ---------------------------------------------------------------- bytes and replies
def test_ids_and_times_are_moved_and_nothing_else():
    before = b'{"lastUpdateId":100,"E":5000,"T":6000,"t":9,"U":98,"u":100,"pu":97,"b":[["100","5000"]]}'
    assert shifted_ids(before, 90) == (
        b'{"lastUpdateId":10,"E":5000,"T":6000,"t":9,"U":8,"u":10,"pu":7,"b":[["100","5000"]]}'
    )
    assert shifted_ids(b'{"u":5}', 9) == b'{"u":0}'
    assert skewed(before, -1000) == (
        b'{"lastUpdateId":100,"E":4000,"T":5000,"t":9,"U":98,"u":100,"pu":97,"b":[["100","5000"]]}'
    )


def replied(facts: dict) -> tuple[Reply | None, Reply]:
    """(the refusal, the endpoint's reply damaged) under one fault."""
    faults, _ = faults_of(facts)
    strikes = faults.request("depth", SYMBOL)
    assert len(strikes) == 1
    return refusal_of(strikes), damaged(Reply(200, b"0123456789"), strikes)


def test_replies():
    refusal, _ = replied({"kind": "rate-limited", "retry_after_s": 7})
    assert (refusal.status, refusal.headers["Retry-After"]) == (429, "7")
    refusal, _ = replied({"kind": "banned", "retry_after_s": 9})
    assert (refusal.status, refusal.headers["Retry-After"]) == (418, "9")
    assert replied({"kind": "failing", "status": 502})[0].status == 502
    assert replied({"kind": "failing"})[0].status in (500, 502, 503, 504)
    assert replied({"kind": "hung"})[0].wait_s == float("inf")
    assert replied({"kind": "hung", "duration_s": 3.0})[0].wait_s == 3.0
    assert replied({"kind": "late", "delay_s": 4.0})[1].wait_s == 4.0
    slow = replied({"kind": "slow", "bytes_per_s": 100})[1]
    assert slow.pieces() == [b"01", b"23", b"45", b"67", b"89"]
    short = replied({"kind": "short", "keep": 0.3})[1]
    assert (short.body, short.missing_bytes) == (b"012", 0)
    assert replied({"kind": "short", "keep": 0.3, "honest": False})[1].missing_bytes == 7
    assert replied({"kind": "stale"}) == (None, Reply(200, b"0123456789"))


def test_a_ban_covers_every_endpoint_until_it_ends():
    faults, clock = faults_of({"kind": "banned", "retry_after_s": 3})
    assert faults.request("time") == []  # strikes only the depth endpoint
    assert faults.banned_s == 0.0
    assert faults.request("depth")
    assert faults.banned_s == 3.0
    clock.now_s += 3
    assert faults.banned_s == 0.0
