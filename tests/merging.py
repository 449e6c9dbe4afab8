"""Buses in plain memory under a MergedPlace, with receive times and a clock that the test sets."""

from types import SimpleNamespace

import numpy as np

from ringbook.engine import layout
from ringbook.engine.kernels import merge, ring
from ringbook.io.merged_place import MergedPlace
from ringbook.io.owner import Verdict
from ringbook.io.place import Place

from .bus_tools import blank_bus
from .model.ring import wrap


class FakeLink(SimpleNamespace):
    """What a Place asks of an Attachment, over plain memory."""

    def verdict(self) -> Verdict:
        """Always alive."""
        return Verdict.RUNNING


class MemoryMerge:
    """Some memory buses and a reader of all of them."""

    def __init__(self, buses: int, window_ns: int, slots: int = 8, first_seq: int = 1, **filters) -> None:
        self.first_seq, self.next_seqs = first_seq, [first_seq] * buses
        self.links = []
        for number in range(buses):
            words, geo, ctl = blank_bus(slots, first_seq=first_seq)
            self.links.append(
                FakeLink(
                    name=f"bus{number}",
                    words=words,
                    geo=geo,
                    ctl=ctl,
                    top_n=1,
                    first_seq=first_seq,
                    generation=1,
                )
            )
        places = [
            Place(link, filters.get("symbol"), filters.get("kind"), "newest")  # type: ignore[arg-type]
            for link in self.links
        ]
        self.place = MergedPlace(places, window_ns)

    def publish(self, bus: int, recv_ns: int, kind: int = layout.KIND_TRADE, symbol_id: int = 0) -> int:
        """Publish one record; returns its index on the bus, from 0."""
        link, seq = self.links[bus], self.next_seqs[bus]
        slot = ring.claim(link.words, link.geo, seq)
        link.words[slot + 1 : slot + int(link.geo[layout.GEO_SLOT_WORDS])] = 0
        link.words[slot + layout.R_TAGS] = kind | symbol_id << 32
        link.words[slot + layout.R_RECV] = recv_ns
        ring.commit(link.words, slot, seq)
        ring.publish_head(link.words, link.geo, wrap(seq + 1), link.ctl)
        self.next_seqs[bus] = wrap(seq + 1)
        return wrap(seq - self.first_seq)

    def next(self, now_ns: int) -> tuple[int, int, int]:
        """Code, bus, index of the next record handed out."""
        code = merge.next_merged(self.place.table, self.place.state, now_ns)
        if code != layout.READ_OK:
            return code, -1, -1
        bus = int(self.place.state[merge.MG_BUS])
        return code, bus, wrap(int(self.place.places[bus].record[0]["seq"]) - self.first_seq)

    def column(self, name: int) -> list[int]:
        """One column of the table."""
        return np.asarray(self.place.rows[:, name]).tolist()
