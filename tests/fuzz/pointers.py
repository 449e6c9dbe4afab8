"""Compiled kernels as values: the hunt calls the very machine code that is in use, or a mutant of it, by address."""

from collections.abc import Callable

import numba
from numba import types

from ringbook.engine import jit


class Pointer(types.WrapperAddressProtocol):
    """A compiled kernel by its address: calling it links nothing, so the loop is compiled but once.

    dispatcher  the kernel, compiled for its signature
    registered  its name in jit.registry, where the signature stands
    """

    def __init__(self, dispatcher: Callable, registered: str) -> None:
        self._signature = jit.registry[registered][1]
        result = dispatcher.get_compile_result(self._signature)  # type: ignore[attr-defined]
        self._address = result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name)
        self._dispatcher = dispatcher

    def __wrapper_address__(self) -> int:
        return self._address

    def signature(self) -> numba.core.typing.Signature:
        """What numba must know to call it."""
        return self._signature


NAMES = (
    "frames.next_frame",
    "binance.scan",
    "binance.scan_snapshot",
    "binance_ingest.ingest",
    "binance_ingest.ingest_message",
    "binance_ingest.ingest_snapshot",
)


def production(replaced: str = "", by: Callable | None = None) -> tuple[Pointer, ...]:
    """The kernels in use, in the order of drive.MODES; one of them replaced, if asked."""
    return tuple(Pointer(by if by and name == replaced else jit.registry[name][0], name) for name in NAMES)
