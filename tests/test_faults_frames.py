"""Frame faults as a plain client sees them, over real sockets."""

import json
from collections.abc import Callable

from .fault_client import RawClient, faulty, holes, tell, until


async def frame_fault(facts: dict, enough: Callable[[RawClient], bool]) -> RawClient:
    """A raw client struck by one fault after its first frames, at the moment it has seen enough."""
    async with faulty() as (exchange, _), RawClient(exchange) as client:
        await until(lambda: len(client.diffs()) > 3)
        exchange.faults.inject(facts)
        await until(lambda: facts["kind"] in exchange.faults.struck)
        client.ledger = exchange.faults.ledger.since(0)
        await until(lambda: enough(client))
        return client


DIFFS = {"streams": ["*@depth@100ms"]}


def trades(client: RawClient) -> int:
    return sum(event.get("e") == "trade" for event in client.events())


def trades_then(client: RawClient) -> int:
    """Trades seen when the fault had struck."""
    client.then = client.then or trades(client)
    return client.then


def test_lost_duplicated_reordered_mute():
    async def story():
        client = await frame_fault({"kind": "lost", **DIFFS}, lambda c: holes(c.diffs()) == 1)
        assert len({one["u"] for one in client.diffs()}) == len(client.diffs())
        client = await frame_fault({"kind": "duplicated", **DIFFS}, lambda c: holes(c.diffs()) == 1)
        assert len({one["u"] for one in client.diffs()}) == len(client.diffs()) - 1
        client = await frame_fault({"kind": "reordered", **DIFFS}, lambda c: holes(c.diffs()) >= 2)
        assert holes(sorted(client.diffs(), key=lambda one: one["u"])) == 0
        client = await frame_fault({"kind": "mute", **DIFFS}, lambda c: trades(c) > trades_then(c) + 20)
        assert client.diffs()[-1]["u"] < client.ledger[0]["first_id"]

    tell(story)


def test_truncated_corrupted_misframed():
    async def story():
        unreadable = lambda c: len(c.events()) < len(c.frames) and len(c.frames) > 20  # noqa: E731
        for facts in ({"kind": "truncated"}, {"kind": "corrupted", "bits": 200}):
            client = await frame_fault({**DIFFS, **facts}, unreadable)
            assert client.verdict == "more"  # the websocket itself is sound
            assert len(client.frames) - len(client.events()) == 1
        await frame_fault(
            {**DIFFS, "kind": "misframed", "how": "length"}, lambda c: bool(c.frames) and c.verdict == "bad"
        )

    tell(story)


def test_delayed_merged_fragmented_segmented():
    async def story():
        for facts in (
            {"kind": "delayed"},
            {"kind": "merged", "frames": 9},
            {"kind": "segmented", "bytes": 20},
        ):
            client = await frame_fault({**DIFFS, **facts}, lambda c: len(c.diffs()) > 40)
            assert holes(client.diffs()) == 0
        client = await frame_fault(
            {**DIFFS, "kind": "fragmented"}, lambda c: any(f.opcode == 0 for f in c.frames)
        )
        pieces = [frame for frame in client.frames if frame.opcode == 0 or not frame.final]
        assert json.loads(b"".join(frame.payload for frame in pieces))["data"]["e"] == "depthUpdate"

    tell(story)


def test_gap_and_burst_and_storm():
    async def story():
        client = await frame_fault(
            {"kind": "gap", "symbol": "BTCUSDT", "count": 2}, lambda c: len(c.diffs()) > 40
        )
        assert holes(client.diffs()) in (1, 2)
        big = lambda c: any(len(one["b"]) + len(one["a"]) > 3000 for one in c.diffs())  # noqa: E731
        await frame_fault({"kind": "burst", "orders": 20_000}, big)
        # For good: a stormy second can be over before a starved machine has made one frame of it.
        await frame_fault({"kind": "storm", "factor": 300, "duration_s": 0}, big)

    tell(story)
