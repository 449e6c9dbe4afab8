"""Fuzzing of framing and decoders: guided by coverage on plain twins, and blind at speed on machine code."""
