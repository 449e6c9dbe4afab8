"""SIGHUP: the configuration is read again, and the symbols followed become those it names."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Protocol

from .config import EngineConfig
from .errors import RingbookError
from .feed import Feed

log = logging.getLogger(__name__)


class Follower(Protocol):
    """What follows symbols."""

    config: EngineConfig
    feed: Feed

    async def subscribe(self, symbols: Sequence[str]) -> None: ...
    def unsubscribe(self, symbols: Sequence[str]) -> None: ...


class Reloads:
    """Carries out one reload after the other.

    read  the configuration as it is now
    """

    def __init__(self, engine: Follower, read: Callable[[], EngineConfig]) -> None:
        self.engine, self.read = engine, read
        self._again = False
        self._task: asyncio.Task | None = None

    def ask(self) -> None:
        """The signal came; one that comes during a reload is carried out after it."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._carry_out())

    async def _carry_out(self) -> None:
        while self._again:
            self._again = False
            try:
                await self.change(self.read())
            except RingbookError as error:
                log.error("reload refused, everything goes on as before: %s", error)

    async def change(self, new: EngineConfig) -> None:
        """Subscribe what is new, then unsubscribe what is gone; other keys need a restart."""
        if not hasattr(self.engine, "feed"):
            log.warning("reload ignored: the engine is still starting")
            return
        other = [
            one.name
            for one in fields(new)
            if one.name != "symbols" and getattr(new, one.name) != getattr(self.engine.config, one.name)
        ]
        if other:
            log.warning(
                "reload: %s changed, which takes a restart; only symbols were looked at", ", ".join(other)
            )
        followed = {symbol.decode() for symbol in self.engine.feed.ids}
        added = [name for name in new.symbols if name not in followed]
        await self.engine.subscribe(added)
        self.engine.unsubscribe(sorted(followed - set(new.symbols)))
        log.warning("reload: %d symbols added, %d taken off", len(added), len(followed - set(new.symbols)))
