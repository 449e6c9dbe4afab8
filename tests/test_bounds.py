"""Every row of ARCHITECTURE.md's table of bounds: the numbers are the code's, and tests named here reach the bound."""

import ast
from pathlib import Path

import pytest

from ringbook.engine import layout
from ringbook.engine.audit import PATIENCE_NS
from ringbook.engine.backoff import NS_PER_S
from ringbook.engine.connection import CAP_BACKOFF_NS
from ringbook.engine.kernels import hold, merge
from ringbook.engine.snapshots import FLIGHTS_MAX, SHARE
from ringbook.engine.subscription import RESERVED_MESSAGES
from ringbook.io import bus_card, collector, feed, ladder, link, quiet, rest, serving, views, watch
from ringbook.io.config import EngineConfig
from ringbook.io.live import door, drain, pulse
from ringbook.io.venues.base import get_venue

from .source_tree import ROOT

HERE = Path(__file__).parent
HEAD = "| what | bound |"
ATTEMPTS_S = {get_venue(name).limits.attempts_s for name in ("binance-spot", "binance-usdm")}
DEFAULT = EngineConfig("binance-spot", ("BTCUSDT",))
MB = 1 << 20

# Row → what its second or third cell must say, and the tests that reach the bound and see what it says.
ROWS: dict[str, tuple[list[str], list[str]]] = {
    "ring": (
        [f"{DEFAULT.slots:,} slots"],
        ["test_reader.py::test_a_lapped_follower_counts_and_starts_again_from_the_board"],
    ),
    "buses of one merged reader": (
        [str(merge.MERGE_MOST)],
        ["test_merge.py::test_sixty_four_buses", "test_merge_buses.py::test_wrong_arguments"],
    ),
    "wait of a merged reader for a silent bus": (
        ["1 ms"],
        ["test_merge.py::test_an_empty_bus_is_waited_for_exactly_as_long_as_the_window",
         "test_merge.py::test_every_interleaving_is_merged_as_the_model_does"],
    ),
    "ledger": (
        [f"{layout.LEDGER_ROWS:,} outages"],
        ["test_ledger.py::test_the_oldest_rows_make_room_and_an_open_one_among_them_is_let_go",
         "test_ledger.py::agrees"],
    ),
    "levels in a record": (
        [f"{DEFAULT.top_n} a side", f"at most {layout.TOP_N_MAX}"],
        ["test_bounds_feed.py::test_a_record_holds_its_levels_and_tells_how_many_there_are",
         "test_config.py::test_every_range_has_both_ends"],
    ),
    "full book": (
        [f"{layout.BOOK_LEVELS_DEFAULT:,} levels"],
        ["test_book.py::test_a_full_side_drops_the_worst_and_says_so",
         "test_bounds_feed.py::test_levels_that_were_dropped_are_counted"],
    ),
    "levels in a frame": (
        [f"{layout.ROWS_CAPACITY:,} a side"],
        ["test_bad_input.py::test_more_levels_than_the_rows_hold_is_a_gap_that_heals"],
    ),
    "diffs kept while a snapshot is fetched": (
        [f"{DEFAULT.pending_words:,} words"],
        ["test_apply.py::test_pending_is_bounded_and_keeps_the_newest",
         "test_apply.py::test_a_diff_larger_than_the_buffer_is_counted_not_written"],
    ),
    "diffs kept for an audit": (
        ["as many words", f"{PATIENCE_NS // NS_PER_S} s at most"],
        ["test_audit.py::test_diffs_beyond_the_room_make_it_void",
         "test_audit.py::test_patience_ends_and_failures_wait_longer_and_longer",
         "test_audit_live.py::test_off_is_off"],
    ),
    "weight spent on audits": (
        ["half of the budget"],
        ["test_audit.py::test_only_spare_weight_is_used",
         "test_audit.py::test_symbols_take_turns_and_the_period_is_kept",
         "test_audit_live.py::test_nothing_is_found_where_nothing_is_wrong"],
    ),
    "diffs that wait for another connection": (
        [f"{hold.HELD_MAX} a symbol", f"{DEFAULT.hold_ms} ms"],
        ["test_legs.py::test_more_waiting_diffs_than_allowed_are_a_gap",
         "test_bounds_feed.py::test_what_waited_too_long_or_too_many_is_counted"],
    ),
    "trades known for copies": (["1,024 ids"], ["test_bounds_feed.py::test_the_newest_trades_are_known"]),
    "silent streams asked for again": (
        [f"{watch.TRIES_PER_MIN} a minute"],
        ["test_retries.py::test_a_thousand_silent_streams_stay_within_the_budget_and_all_get_their_turn",
         "test_symbols_live.py::test_a_silent_stream_is_asked_for_again_and_the_others_are_left_alone"],
    ),
    "websocket message, whole or in fragments": (
        [f"{DEFAULT.max_message_bytes // MB} MB"],
        ["test_bounds_sockets.py::test_a_message_too_large_ends_the_connection_and_another_follows",
         "test_bounds_sockets.py::test_fragments_without_end_take_no_memory"],
    ),
    "sockets read in the waiting kernel": (
        [str(serving.SOCKETS_MOST)],
        ["test_bounds_sockets.py::test_one_socket_more_than_are_served_is_left_to_the_loop"],
    ),
    "writes that wait on a connection": (
        [str(link.WRITES_MAX)],
        ["test_bounds_sockets.py::test_a_flood_of_pings_keeps_few_answers_and_sends_the_newest",
         "test_bounds_sockets.py::test_a_server_that_reads_nothing_is_left"],
    ),
    "what is kept of acks, errors, unknown streams, bad frames": (
        ["nothing"],
        ["test_bounds_sockets.py::test_a_flood_of_strange_messages_leaves_only_counts"],
    ),
    "connection attempts": (
        ["five minutes", f"up to {CAP_BACKOFF_NS // NS_PER_S} s"],
        ["test_connection.py::test_budgets_hold_over_any_life_and_it_always_comes_back",
         "test_engine_refusals.py::test_a_refused_handshake_is_tried_again"],
    ),
    "roll-overs": (
        ["one at a time", "half second"],
        ["test_rollover.py::test_planned_ends_go_one_after_the_other",
         "test_rollover.py::test_announced_ends_are_spaced_but_do_not_wait_for_each_other",
         "test_live_lanes.py::test_short_lives_roll_over_again_and_again"],
    ),
    "reloads by SIGHUP": (["one under way"], ["test_bounds_feed.py::test_a_storm_of_hangups_is_two_reloads"]),
    "lines of the log": (
        [f"{quiet.LINES_MAX} of a kind a minute", f"{quiet.TEXT_MAX:,} characters"],
        ["test_quiet.py::test_a_kind_of_line_is_limited_and_the_next_one_tells_how_many_were_left_out",
         "test_quiet.py::test_a_long_line_is_cut_and_says_so"],
    ),
    "cyclic garbage of Python": (
        [f"{collector.OVERDUE:,} objects"],
        ["test_collector.py::test_what_is_overdue_is_freed_in_a_busy_tick_too"],
    ),
    "symbols": (["--symbol-capacity"], ["test_symbols_live.py::test_symbols_come_and_go_and_the_others_have_no_gap"]),
    "rows that changes of scale take": (
        [f"{feed.RESCALES_MAX} a symbol"],
        ["test_bounds_feed.py::test_a_scale_that_goes_back_and_forth_takes_few_rows"],
    ),
    "names of streams and symbols": (
        ["those followed"],
        ["test_bounds_feed.py::test_symbols_that_come_and_go_leave_no_names"],
    ),
    "body of a REST answer": (
        [f"{rest.BODY_BYTES_MAX // MB} MB"],
        ["test_bounds_sockets.py::test_a_body_without_end_is_given_up"],
    ),
    "Retry-After that is obeyed": (
        [f"{rest.RETRY_AFTER_MAX_S // 86_400} days"],
        ["test_bounds_sockets.py::test_nobody_silences_us_for_years"],
    ),
    "snapshots under way": (
        [str(FLIGHTS_MAX), f"{100 * SHARE:.0f} %"],
        ["test_many_symbols.py::test_exact_minutes_never_cost_too_much",
         "test_many_symbols.py::test_five_hundred_symbols_start_and_start_over",
         "test_engine_refusals.py::test_a_venue_that_refuses_rest_is_asked_again"],
    ),
    "subscription messages": (
        ["less two" if RESERVED_MESSAGES == 2 else ""],
        ["test_subscription.py::test_every_stream_gets_subscribed_under_the_budget",
         "test_subscription.py::test_pongs_leave_less_for_requests"],
    ),
    "a live view's look": (
        [f"{drain.CAPACITY:,} records", f"{door.MAX_COLUMNS:,} columns"],
        ["test_live_views.py::test_a_drain_takes_no_more_than_it_has_room_for_and_says_so",
         "test_live_tracks.py::test_columns_are_bounded_and_never_go_back",
         "test_live_views.py::test_wrong_settings_are_refused_with_what_was_expected"],
    ),
    "a live view's frames": (
        [f"{pulse.WINDOW} sent"],
        ["test_live_pulse.py::test_a_page_that_is_gone_stops_it_after_a_few_frames"],
    ),
    "copies of a book": (
        [f"{views.ATTEMPTS} tries"],
        ["test_reader.py::test_a_busy_full_book_is_asked_for",
         "test_bounds_feed.py::test_a_book_is_copied_on_request_and_the_requests_are_counted",
         "test_book_area.py::test_full_book_readers_make_progress_while_a_symbol_updates_flat_out"],
    ),
    "pictures in a notebook": (
        [f"{ladder.LEVELS_MOST} levels", f"{bus_card.SYMBOLS_MOST} symbols"],
        ["test_pictures.py::test_rows_are_bounded", "test_pictures.py::test_many_symbols_are_cut"],
    ),
}  # fmt: skip


def table() -> dict[str, list[str]]:
    """The table of ARCHITECTURE.md: first cell → the other three."""
    lines = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(HEAD)) + 2
    rows = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name] = cells
    return rows


def source_of(test: str) -> str:
    """The text of a test function named file::function."""
    file, _, name = test.partition("::")
    text = (HERE / file).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.get_source_segment(text, node) or ""
    raise AssertionError(f"{test} does not exist")


def test_every_row_has_its_tests_and_every_test_its_row() -> None:
    assert [name for name in ROWS if name not in table()] == [], "rows that the table lacks"
    assert [name for name in table() if name not in ROWS] == [], "rows without a test"


@pytest.mark.parametrize("name", ROWS)
def test_the_numbers_are_those_of_the_code(name: str) -> None:
    said = " ".join(table()[name][:2])
    for number in ROWS[name][0]:
        assert number and number in said


@pytest.mark.parametrize("name", ROWS)
def test_the_tests_exist_and_look_at_what_the_row_names(name: str) -> None:
    tests = ROWS[name][1]
    assert all(source_of(test) for test in tests)
    sources = "".join((HERE / test.partition("::")[0]).read_text(encoding="utf-8") for test in tests)
    counters = [word for word in table()[name][2].split("`")[1::2] if word in layout.C]
    missing = [word for word in counters if f'"{word}"' not in sources]
    assert missing == []


def test_five_minutes_are_the_venues() -> None:
    assert {300.0} == ATTEMPTS_S
