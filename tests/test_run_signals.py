"""`ringbook run` as a process: SIGHUP follows the file, SIGTERM ends it in good order."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.reader import join

START_S = 300.0  # compiles when the cache is cold
END_S = 30.0


@pytest.mark.parametrize("redundancy", [1, 2])
def test_hangup_reloads_and_terminate_closes(
    redundancy: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / "engine.toml"

    def write(exchange: Exchange, *symbols: str) -> None:
        facts = {"venue": "binance-spot", "symbols": list(symbols), "rest_url": exchange.rest_url}
        facts |= {"ws_url": exchange.ws_url, "directory": str(tmp_path), "bus": "signals", "slots": 1024}
        facts |= {"redundancy": redundancy, "symbol_capacity": 4}
        path.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in facts.items()))

    async def live(*symbols: str) -> None:
        async with asyncio.timeout(END_S):
            while True:
                with join("signals", tmp_path) as bus:
                    if bus.symbols == list(symbols) and all(
                        bus.book(name).health == "LIVE" for name in symbols
                    ):
                        return
                await asyncio.sleep(0.05)

    async def ended(process: Process) -> int:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(END_S):
            return await process.wait()

    async def story() -> None:
        async with Exchange(ExchangeOptions(symbols=("BTCUSDT", "ETHUSDT"), speed=4)) as exchange:
            write(exchange, "BTCUSDT")
            arguments = [
                "-m",
                "ringbook",
                "run",
                "--config",
                str(path),
                "--die-with-parent",
                str(os.getpid()),
            ]
            process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
            try:
                assert process.stdout is not None
                async with asyncio.timeout(START_S):
                    assert json.loads(await process.stdout.readline())["bus"] == "signals"
                await live("BTCUSDT")
                write(exchange, "ETHUSDT", "BTCUSDT")
                process.send_signal(signal.SIGHUP)
                await live("BTCUSDT", "ETHUSDT")
                assert len(exchange.sessions) == redundancy
                assert await ended(process) == 0
                async with asyncio.timeout(END_S):
                    while exchange.sessions:
                        await asyncio.sleep(0.05)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        with join("signals", tmp_path) as bus:
            assert bus.health()["verdict"] == "closed"
            assert bus.book("BTCUSDT").health == "DOWN"

    asyncio.run(story())
