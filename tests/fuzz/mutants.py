"""Machine code with a mistake in it: what the blind hunt must find, or its guards guard nothing."""

from collections.abc import Callable
from types import ModuleType

from ringbook.engine import jit
from ringbook.engine.kernels import frames

from ..plain import mutated_source
from ..plain_decode import ROOMS

# name → (rooms to build anew, what the hunt calls, kernel, old text, new text)
MUTANTS: dict[str, tuple[tuple[ModuleType, ...], str, tuple[str, str, str]]] = {
    "frame header unchecked": ((frames,), "frames.next_frame", ("next_frame", "if have < 2:", "if have < 0:")),
    "frame end unchecked": (
        (frames,), "frames.next_frame", ("next_frame", "if have < header + length:", "if have < header:"),
    ),
    "string end unchecked": (ROOMS, "binance.scan", ("find_quote", "while at < end:", "while at >= 0:")),
}  # fmt: skip


def build(name: str) -> tuple[str, Callable]:
    """Compile a mutant; returns (the kernel it stands for, its dispatcher)."""
    rooms, wanted, (changed, old, new) = MUTANTS[name]
    space: dict = {}
    for room in rooms:
        space |= {key: value for key, value in vars(room).items() if not key.startswith("__")}
    for registered, (dispatcher, signature) in list(jit.registry.items()):
        kernel = dispatcher.__name__
        if space.get(kernel) is not dispatcher:
            continue
        change = (old, new) if kernel == changed else (f"def {kernel}(", f"def {kernel}(")
        exec(compile(mutated_source(dispatcher.py_func, *change), f"<mutant {registered}>", "exec"), space)
        space[kernel] = jit.specialise(space[kernel])
        space[kernel].compile(signature)
    return wanted, space[wanted.split(".")[1]]
