"""Nopython kernels, one idea per file; all shared memory is int64 words, all offsets come from `layout`."""
