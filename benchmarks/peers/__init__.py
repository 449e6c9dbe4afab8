"""Python peers beside ours: the same frames, peers in an interpreter of their own (3.13 or later), answers compared."""
