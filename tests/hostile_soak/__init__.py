"""A hostile world for minutes or hours: a faulty exchange, an engine that is killed, a reader that checks.

`python -m tests.hostile_soak --minutes 10` prints one line of JSON and a table: faults by kind, books compared
and wrong, share of time LIVE, recoveries, weight, memory.
"""
