"""ringbook: live order books, from websocket bytes to shared memory, in Python and Numba.

Importing this package compiles nothing and starts nothing; numba itself is
imported only when a kernel is first needed.
"""

__version__ = "0.1.0"
