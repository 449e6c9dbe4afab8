"""The bus under torture: writers and readers as processes that are stopped and killed, every record checked.

`python -m tests.torture --seconds 20` prints one line of JSON: what was read, refused, lost, and found wrong.
"""
