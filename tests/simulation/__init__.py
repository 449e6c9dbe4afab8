"""A deterministic simulation: the whole engine against the built-in exchange, in virtual time, out of one seed.

python -m tests.simulation --seeds 0:2000      # one line each that fails, then a summary
python -m tests.simulation --seed 17 --trace   # the story of one seed

`docs/simulation.md` says what runs for real and what is modelled.
"""
