"""Kernels over arrays of records, for notebooks: the one room where kernels answer in floats."""
