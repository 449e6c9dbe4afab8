"""Plays the scenes: starts the cast, lets faults and signals strike, waits until all is right, adds up."""

import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ringbook.io.children import Child
from ringbook.io.errors import RingbookError

from .cast import START_S, Engine, Reader, exchange_of, tell, trusting
from .scenes import Scene, entries, plan_text
from .vitals import Vitals

SETTLE_S = 60.0  # after the last fault every book is LIVE and right within this
SAMPLE_S = 0.5
KILL_EVERY_S = (6.0, 25.0)
QUIET_SHARE = 0.5  # the last part of a scene, in which the engine is left alive: memory needs time to tell


@dataclass
class Played:
    """What a scene has shown."""

    scene: Scene
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Any] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)
    weight: dict[str, int] = field(default_factory=dict)
    lives: list[Vitals] = field(default_factory=list)
    exchange: dict[str, float] = field(default_factory=dict)
    log_bytes: int = 0
    wrong: list[str] = field(default_factory=list)


class Stage:
    """One scene while it is played."""

    def __init__(self, scene: Scene, seed: int, span_s: float, folder: Path) -> None:
        self.scene, self.span_s, self.folder = scene, span_s, folder
        self.rng = random.Random(f"stage/{seed}/{scene}")
        self.played = Played(scene)
        plan = folder / "plan.toml"
        plan.write_text(plan_text(seed))
        self.exchange_process = exchange_of(scene, plan, seed)
        self.seed = seed

    def play(self) -> Played:
        """Everything, from the first process to the last."""
        with trusting(self.scene, self.folder), self.exchange_process as exchange:
            urls = exchange.ready(START_S)
            engine, reader = (
                Engine(self.scene, urls, self.folder),
                Reader(urls["rest"], self.folder, self.seed),
            )
            try:
                self._act(exchange, engine, reader, urls["rest"])
            finally:
                reader.close()
                if engine.is_running:
                    engine.terminate()
                engine.log.close()
        self.played.log_bytes = (self.folder / "engine.log").stat().st_size
        return self.played

    def _act(self, exchange: Child, engine: Engine, reader: Reader, rest_url: str) -> None:
        served = Vitals(exchange.process.pid)
        engine.start()
        self._live_on(engine)
        begun_s = time.monotonic()
        for entry in entries(self.scene, self.seed, self.span_s):
            tell(f"{rest_url}/ringbook/fault", entry)
        self._torment(engine, served, exchange, begun_s)
        end_s = time.monotonic() + SETTLE_S
        while tell(f"{rest_url}/ringbook/stats")["hidden"] and time.monotonic() < end_s:
            time.sleep(0.1)
        reader.order("settle")
        if reader.answer(end_s - time.monotonic()) != "whole":
            self.played.wrong.append(
                f"not every book was LIVE and right {SETTLE_S:.0f} s after the last fault"
            )
        self._sum_up(exchange, engine, reader, rest_url, served)
        self.played.seconds = time.monotonic() - begun_s

    def _live_on(self, engine: Engine) -> None:
        self.played.lives.append(Vitals(engine.pid))

    def _torment(self, engine: Engine, served: Vitals, exchange: Child, begun_s: float) -> None:
        next_s = time.monotonic() + self._pause()
        while (now_s := time.monotonic()) - begun_s < self.span_s:
            exchange.listen()
            served.sample()
            self.played.lives[-1].sample()
            if not engine.is_running:
                raise RingbookError("the engine ended by itself; see its log")
            if now_s >= next_s:
                self._strike(engine, now_s - begun_s)
                next_s = time.monotonic() + self._pause()
            time.sleep(SAMPLE_S)

    def _pause(self) -> float:
        return min(self.rng.uniform(*KILL_EVERY_S), self.span_s / 4)

    def _strike(self, engine: Engine, at_s: float) -> None:
        """A signal: kill -9 and SIGTERM in the first part, SIGHUP always (the listed symbol comes and goes)."""
        draw = self.rng.random() if engine.deaths["killed"] else 0.0
        if at_s < self.span_s * (1 - QUIET_SHARE) and draw < 0.8:
            if draw < 0.55:
                engine.kill()
            else:
                engine.terminate()
                engine.start()
            self._live_on(engine)
        else:
            engine.hang_up()

    def _sum_up(self, exchange: Child, engine: Engine, reader: Reader, rest_url: str, served: Vitals) -> None:
        played, stats = self.played, tell(f"{rest_url}/ringbook/stats")
        played.findings = reader.end()
        played.faults = Counter(stats["faults"])
        played.weight, played.exchange = stats["weight"], served.summary()
        if engine.terminate():
            played.wrong.append("the engine did not end cleanly")
        played.deaths = engine.deaths
        for life in played.lives:
            played.wrong += life.faults()


def play_all(
    scenes: list[Scene], seconds: float, seed: int, directory: Path | None = None, keep: bool = False
) -> list[Played]:
    """Each scene for its share of the time.

    directory  where the files of each scene go, in a folder of its own
    keep       leave them there
    """
    played = []
    for number, scene in enumerate(scenes):
        folder = Path(tempfile.mkdtemp(prefix="hostile-", dir=directory))
        try:
            played.append(Stage(scene, seed + number, seconds / len(scenes), folder).play())
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
    return played
