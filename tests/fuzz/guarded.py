"""Memory between pages nobody may touch: a kernel that reads or writes one byte too far dies of SIGSEGV."""

import ctypes
import mmap

import numpy as np

PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)
_kept: list[mmap.mmap] = []  # a mapping lives as long as the process: its pages stay forbidden


def guarded_bytes(size: int) -> np.ndarray:
    """uint8[size], a whole number of pages, with a forbidden page directly before and behind it."""
    if size <= 0 or size % PAGE:
        raise ValueError(f"size was {size}, expected a multiple of {PAGE}, so that both ends touch a guard")
    area = mmap.mmap(-1, size + 2 * PAGE)
    whole = np.frombuffer(area, np.uint8)
    _kept.append(area)
    for offset in (0, PAGE + size):
        address = ctypes.c_void_p(whole.ctypes.data + offset)
        if _libc.mprotect(address, ctypes.c_size_t(PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect refused to forbid a page")
    return whole[PAGE : PAGE + size]


def at_end(source: np.ndarray) -> np.ndarray:
    """A copy of an array whose last byte touches a guard."""
    size = -(-source.nbytes // PAGE) * PAGE
    place = guarded_bytes(size)[size - source.nbytes :]
    place[:] = np.frombuffer(source.tobytes(), np.uint8)
    return place.view(source.dtype).reshape(source.shape)


def at_start(source: np.ndarray) -> np.ndarray:
    """A copy of an array whose first byte touches a guard."""
    place = guarded_bytes(-(-source.nbytes // PAGE) * PAGE)[: source.nbytes]
    place[:] = np.frombuffer(source.tobytes(), np.uint8)
    return place.view(source.dtype).reshape(source.shape)
