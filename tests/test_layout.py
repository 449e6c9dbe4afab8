"""The ABI, pinned: a moved field, a changed size or a new code is a decision, not an accident."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout

HEADER_PICTURE = """
seq:0:8 kind:8:1 health:9:1 side:10:1 flags:11:1 symbol_id:12:4 event_ns:16:8 txn_ns:24:8 recv_ns:32:8
recv_mono_ns:40:8 publish_ns:48:8 first_update_id:56:8 last_update_id:64:8 horizon:72:16 count:88:8 depth:96:8
cause:104:8 ids_missed:112:8 checksum:120:8
"""
PAYLOAD_PICTURE = """
trade_price:128:8 trade_qty:136:8 trade_id:144:8 trade_first_id:152:8 trade_last_id:160:8
old_health:128:8 blind_ns:136:8 status_detail:144:8
"""
FILE_HEADER_PICTURE = """
magic:0:8 layout_major:8:4 layout_minor:12:4 byte_order:16:8 schema_hash:24:8 file_bytes:32:8 slot_count:40:8
top_n:48:8 symbol_capacity:56:8 book_levels:64:8 slot_bytes:72:8 symbols_off:80:8 counters_off:88:8
histograms_off:96:8 board_off:104:8 ring_off:112:8 books_off:120:8 scratch_off:128:8 ledger_off:136:8 generation:256:8
prev_last_seq:264:8 first_seq:272:8 created_ns:280:8 pid:288:8 pid_namespace:296:8 start_ticks:304:8
boot_id:312:16 venue:328:32 init_state:384:8 symbol_count:392:8 features:400:8 head:512:8 heartbeat_ns:640:8
writer_state:648:8
"""
GAP_PICTURE = """
version:0:8 number:8:8 begin_ns:16:8 end_ns:24:8 cause:32:1 last_cause:33:1 health:34:1 symbol_id:36:4
ids_missed:40:8 blind_ns:48:8 generation:56:8 symbol:64:64
"""
SYMBOL_PICTURE = """
symbol:0:64 venue:64:32 price_digits:96:4 qty_digits:100:4 price_tick:104:8 qty_step:112:8 state:120:4
successor:124:4
"""


def drawn(picture: str) -> dict[str, tuple[int, int]]:
    """A picture as {field: (offset, bytes)}."""
    rows = [entry.split(":") for entry in picture.split()]
    return {name: (int(offset), int(size)) for name, offset, size in rows}


def found(dtype: np.dtype) -> dict[str, tuple[int, int]]:
    """A dtype as {field: (offset, bytes)}."""
    assert dtype.fields is not None
    return {name: (entry[1], entry[0].itemsize) for name, entry in dtype.fields.items()}


def test_record_header_is_as_drawn():
    record = found(layout.record_dtype())
    assert drawn(HEADER_PICTURE).items() <= record.items()
    assert drawn(PAYLOAD_PICTURE).items() <= record.items()
    assert set(record) == set(drawn(HEADER_PICTURE)) | set(drawn(PAYLOAD_PICTURE)) | {"price", "qty"}


def test_record_header_has_no_hole_and_no_overlap():
    end = 0
    for offset, size in sorted(drawn(HEADER_PICTURE).values()):
        assert offset == end
        end = offset + size
    assert end == layout.RECORD_HEADER_BYTES


@pytest.mark.parametrize("top_n", [1, 2, 5, 10, 20, 50])
def test_levels_are_side_by_side_and_inside_the_record(top_n):
    record = layout.record_dtype(top_n)
    fields = found(record)
    assert fields["price"] == (128, 16 * top_n)
    assert fields["qty"] == (128 + 16 * top_n, 16 * top_n)
    assert record.itemsize == layout.slot_bytes(top_n)
    assert all(offset + size <= record.itemsize for offset, size in fields.values())


@pytest.mark.parametrize(
    ("top_n", "expected"), [(1, 192), (2, 192), (3, 256), (10, 448), (20, 768), (50, 1728)]
)
def test_slot_sizes(top_n, expected):
    assert layout.slot_bytes(top_n) == expected


@pytest.mark.parametrize("top_n", [0, -1, 51, 1 << 40])
def test_slot_bytes_says_what_was_wrong(top_n):
    with pytest.raises(ValueError, match=rf"top_n was {top_n}, expected 1\.\.50"):
        layout.slot_bytes(top_n)


def test_word_offsets_agree_with_the_record():
    record = found(layout.record_dtype())
    words = {
        "seq": layout.R_SEQ, "kind": layout.R_TAGS, "event_ns": layout.R_EVENT, "txn_ns": layout.R_TXN,
        "recv_ns": layout.R_RECV, "recv_mono_ns": layout.R_MONO, "publish_ns": layout.R_PUBLISH,
        "first_update_id": layout.R_FIRST, "last_update_id": layout.R_LAST, "horizon": layout.R_HORIZON,
        "count": layout.R_COUNT, "depth": layout.R_DEPTH, "cause": layout.R_CAUSE,
        "ids_missed": layout.R_MISSED, "checksum": layout.R_CHECKSUM, "price": layout.R_PAYLOAD,
    }  # fmt: skip
    for name, word in words.items():
        assert record[name][0] == word * layout.WORD_BYTES, name


def test_file_header_is_as_drawn():
    assert found(layout.header_dtype) == drawn(FILE_HEADER_PICTURE)
    assert layout.header_dtype.itemsize == layout.PAGE_BYTES
    assert bytes(np.int64(layout.MAGIC).tobytes()) == b"RINGBOOK"


def test_hot_words_of_the_header_share_no_cache_line_pair():
    """128 bytes apart: the adjacent-line prefetcher must not tie a reader's line to the writer's."""
    hot = [layout.H_SYMBOL_COUNT, layout.H_HEAD, layout.H_HEARTBEAT]
    pairs = {word * layout.WORD_BYTES // (2 * layout.LINE_BYTES) for word in hot}
    assert len(pairs) == len(hot)


def test_symbol_row_is_as_drawn():
    assert found(layout.symbol_dtype) == drawn(SYMBOL_PICTURE)
    assert layout.symbol_dtype.itemsize == 256


def test_ledger_row_is_as_drawn():
    """Two whole cache lines, and the words that kernels use where the dtype says."""
    fields = found(layout.gap_dtype)
    assert fields == drawn(GAP_PICTURE)
    assert layout.gap_dtype.itemsize == 2 * layout.LINE_BYTES == layout.GAP_WORDS * layout.WORD_BYTES
    words = (layout.G_VERSION, layout.G_NUMBER, layout.G_BEGIN, layout.G_END, layout.G_TAGS, layout.G_MISSED,
             layout.G_BLIND, layout.G_GENERATION, layout.G_SYMBOL)  # fmt: skip
    names = (
        "version",
        "number",
        "begin_ns",
        "end_ns",
        "cause",
        "ids_missed",
        "blind_ns",
        "generation",
        "symbol",
    )
    assert [fields[name][0] // layout.WORD_BYTES for name in names] == list(words)
    assert layout.LEDGER_ROWS & (layout.LEDGER_ROWS - 1) == 0


def test_control_words_share_no_cache_line_pair():
    words = (layout.CTL_WAKE, layout.CTL_WAITERS, layout.CTL_BOOK_REQUEST)
    assert len({word * layout.WORD_BYTES // (2 * layout.LINE_BYTES) for word in words}) == len(words)
    assert max(words) < layout.CTL_WORDS


def test_codes_are_pinned():
    assert (layout.BID, layout.ASK) == (0, 1)
    assert layout.HEALTH_NAMES == ("INIT", "SYNCING", "LIVE", "STALE", "GAP", "DOWN")
    codes = [getattr(layout, name) for name in layout.HEALTH_NAMES]
    assert codes == list(range(6))
    assert list(layout.KIND_NAMES.values()) == ["BOOK", "TRADE", "TICKER", "STATUS", "DEPTH", "DELTA"]
    assert list(layout.KIND_NAMES) == list(range(1, 7))
    assert all(getattr(layout, f"KIND_{name}") == code for code, name in layout.KIND_NAMES.items())
    assert len(set(layout.COUNTER_NAMES)) == len(layout.COUNTER_NAMES)


def causes() -> dict[int, str]:
    return {
        value: name
        for name, value in vars(layout).items()
        if name.startswith("CAUSE_") and name != "CAUSE_NAMES"
    }


def test_every_cause_has_a_name_of_its_own():
    assert sorted(causes()) == list(range(len(layout.CAUSE_NAMES)))
    assert len(set(layout.CAUSE_NAMES)) == len(layout.CAUSE_NAMES)


# ---------------------------------------------------------------- geometry
def parts(geo: np.ndarray) -> list[tuple[int, int]]:
    """Start and least length, in words, of every part of the file after the header page."""
    capacity, slots = int(geo[layout.GEO_SYMBOLS]), int(geo[layout.GEO_SLOT_MASK]) + 1
    stride = int(geo[layout.GEO_BOOK_STRIDE])
    lengths = {
        layout.GEO_SYMBOL_TABLE: capacity * layout.symbol_dtype.itemsize // layout.WORD_BYTES,
        layout.GEO_COUNTERS: layout.COUNTER_WORDS,
        layout.GEO_HISTOGRAMS: len(layout.HISTOGRAM_NAMES) * layout.HIST_WORDS,
        layout.GEO_LEDGER: layout.LEDGER_HEADER_WORDS + layout.LEDGER_ROWS * layout.GAP_WORDS,
        layout.GEO_BOARD: capacity * int(geo[layout.GEO_BOARD_STRIDE]),
        layout.GEO_RING: slots * int(geo[layout.GEO_SLOT_WORDS]),
        layout.GEO_BOOKS: capacity * stride,
        layout.GEO_SCRATCH: layout.LINE_BYTES // layout.WORD_BYTES + stride,
    }
    return sorted((int(geo[part]), length) for part, length in lengths.items())


shapes = st.tuples(
    st.integers(1, 24).map(lambda power: 1 << power),
    st.integers(1, layout.TOP_N_MAX),
    st.integers(1, 65536),
    st.integers(layout.BOOK_LEVELS_MIN, layout.BOOK_LEVELS_MAX),
)


@given(shapes)
def test_parts_are_page_aligned_never_overlap_and_fill_the_file(shape):
    geo = layout.geometry(*shape)
    end = layout.PAGE_BYTES // layout.WORD_BYTES
    for start, length in parts(geo):
        assert start * layout.WORD_BYTES % layout.PAGE_BYTES == 0
        assert start >= end
        end = start + length
    assert end <= geo[layout.GEO_WORDS] < end + layout.PAGE_BYTES // layout.WORD_BYTES
    assert geo.dtype == np.int64
    assert geo.shape == (layout.GEO_LENGTH,)


@given(shapes)
def test_strides_hold_what_they_carry(shape):
    slot_count, top_n, _, levels = shape
    geo = layout.geometry(*shape)
    assert geo[layout.GEO_SLOT_MASK] == slot_count - 1
    assert geo[layout.GEO_SLOT_WORDS] * layout.WORD_BYTES == layout.record_dtype(top_n).itemsize
    cells = layout.SIDES * (layout.CELL_HEADER_WORDS + geo[layout.GEO_SLOT_WORDS])
    assert geo[layout.GEO_BOARD_STRIDE] == layout.BOARD_HEADER_WORDS + cells
    for stride in (layout.GEO_SLOT_WORDS, layout.GEO_BOARD_STRIDE, layout.GEO_BOOK_STRIDE):
        assert geo[stride] * layout.WORD_BYTES % layout.LINE_BYTES == 0
    assert geo[layout.GEO_BOOK_STRIDE] >= layout.BOOK_HEADER_WORDS + 4 * levels


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 20, 1), "slot_count was 3, expected a power of two"),
        ((0, 20, 1), "slot_count was 0"),
        ((1, 20, 1), "slot_count was 1"),
        ((1 << 25, 20, 1), "slot_count was 33554432"),
        ((16, 0, 1), "top_n was 0, expected 1..50"),
        ((16, 51, 1), "top_n was 51"),
        ((16, 20, 0), "symbol_capacity was 0, expected 1..65536"),
        ((16, 20, 65537), "symbol_capacity was 65537"),
        ((16, 20, 1, 63), "book_levels was 63, expected 64..65536"),
        ((16, 20, 1, 65537), "book_levels was 65537"),
    ],
)
def test_geometry_says_what_was_found_and_expected(shape, message):
    with pytest.raises(ValueError, match=message):
        layout.geometry(*shape)


def test_default_bus_fits_a_small_dev_shm():
    """64 MB is what a container gets: the default ring must fit with 64 symbols."""
    geo = layout.geometry(16_384, layout.TOP_N_DEFAULT, 64)
    assert geo[layout.GEO_WORDS] * layout.WORD_BYTES < 64_000_000


def test_a_full_book_stays_below_one_megabyte():
    assert layout.book_words(layout.BOOK_LEVELS_DEFAULT) * layout.WORD_BYTES < 1_000_000


def test_histogram_buckets_cover_int64():
    assert layout.HIST_BUCKETS == 64 + 57 * 32
    assert layout.HIST_WORDS >= layout.HIST_EXTRA + layout.HIST_BUCKETS
