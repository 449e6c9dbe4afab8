"""Sequencing rules: may this event be applied to the book, and if not, why (pure decisions, no state).

A venue file names a rule; a new kind of rule is one more code here.
"""

from ..jit import i64, kernel

# Rule codes, stored per instrument.
RULE_SPOT = 1  # Binance spot: ranges [U, u] overlap or adjoin
RULE_FUTURES = 2  # Binance USD-M, COIN-M: each event names its predecessor (pu)
RULES = {"spot": RULE_SPOT, "futures": RULE_FUTURES}

# Verdicts.
SYNC_ACCEPT = 0
SYNC_DROP = 1  # already contained in the book
SYNC_GAP = 2  # something between the book and this event is missing


@kernel(i64(i64, i64, i64, i64, i64, i64))
def decide(rule, is_first, book_id, first_id, last_id, prev_id):
    """Decide whether an event continues the book.

    rule      RULE_SPOT or RULE_FUTURES
    is_first  1 for the first event after a snapshot, else 0
    book_id   id the book stands at: the snapshot's lastUpdateId or the last event's u
    first_id  the event's U
    last_id   the event's u
    prev_id   the event's pu; -1 where the venue sends none
    Returns   SYNC_ACCEPT, SYNC_DROP or SYNC_GAP.
    Source    Binance spot docs, "How to manage a local order book correctly" (text of 2025-11-12: the gap
              test is U > last + 1); Binance USD-M docs, the same page: drop u < last, first event
              U <= last <= u, afterwards pu == previous u. Ids of USD-M are shared across symbols, so U is
              never compared with u + 1 there.
    """
    if last_id < first_id:
        return i64(SYNC_GAP)  # an id range that runs backwards proves nothing
    if rule == RULE_SPOT:
        if last_id <= book_id:
            return i64(SYNC_DROP)
        return i64(SYNC_GAP) if first_id > book_id + 1 else i64(SYNC_ACCEPT)
    if prev_id == book_id:
        return i64(SYNC_ACCEPT)
    if is_first:
        if last_id < book_id:
            return i64(SYNC_DROP)
        return i64(SYNC_ACCEPT) if first_id <= book_id else i64(SYNC_GAP)
    return i64(SYNC_DROP) if last_id <= book_id else i64(SYNC_GAP)
