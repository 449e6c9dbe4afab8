"""Machine code of kernels for processors this machine is not: LLVM's own back ends, told another target.

The IR is what numba made and optimised for the host; only instruction selection is another processor's. That is
the step which turns an ordering into instructions, or into a call of a lock that other processes do not share.
"""

import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import llvmlite.binding as binding
import numba

from ringbook.engine import jit, kernels

KERNELS_FOLDER = Path(kernels.__file__).parent
ARM, X86 = "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"
ARM_CPUS = ("generic", "neoverse-n1", "neoverse-v2", "apple-m1")
X86_CPUS = ("x86-64", "skylake", "znver4")
# The one instruction that an intrinsic names for each processor by itself: the spin hint.
PAUSE = ("@llvm.x86.sse2.pause()", "@llvm.x86.sse2.pause()")
ISB = ("@llvm.aarch64.isb(i32 15)", "@llvm.aarch64.isb(i32 immarg)")


@cache
def ir_of(name: str) -> str:
    """IR of a registered kernel, `room.kernel`, compiled afresh: what comes from the cache has none."""
    dispatcher, signature = jit.registry[name]
    fresh = numba.njit(**jit.POLICY)(dispatcher.py_func)
    fresh.compile(signature)
    return fresh.inspect_llvm(fresh.nopython_signatures[0].args)


def retarget(text: str, triple: str) -> str:
    """The IR without the host's triple and data layout, its spin hint the target's."""
    text = re.sub(r"^target .*\n", "", text, flags=re.M)
    (call, declare), (here, here_declared) = (ISB, PAUSE) if triple == ARM else (PAUSE, ISB)
    text = text.replace(f"call void {here}", f"call void {call}")
    return text.replace(f"declare void {here_declared}", f"declare void {declare}")


def emit(text: str, triple: str, cpu: str) -> str:
    """Assembly of a module in IR text."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, features="", opt=3)
    module = binding.parse_assembly(retarget(text, triple))
    module.triple, module.data_layout = triple, str(machine.target_data)
    module.verify()
    return machine.emit_assembly(module)


@cache
def assembly(name: str, triple: str, cpu: str) -> str:
    """Assembly of a registered kernel."""
    return emit(ir_of(name), triple, cpu)


def functions(text: str) -> dict[str, list[str]]:
    """Instructions and local labels of each function, in the order of their text; the kernel itself is first."""
    found: dict[str, list[str]] = {}
    for match in re.finditer(r"^\t\.type\t(\S+),[@%]function\n(.*?)^\.Lfunc_end", text, re.M | re.S):
        lines = [line.split("//")[0].split("#")[0].strip() for line in match[2].splitlines()]
        found[match[1].strip('"')] = [
            " ".join(line.split()) for line in lines if re.match(r"\.LBB|[a-z]", line)
        ]
    return found


ARM_TOKENS = (
    (r"dmb ishld$", "dmb.ld"),
    (r"dmb ish$", "dmb"),
    (r"dmb|dsb", "another-barrier"),
    (r"isb$", "isb"),
    (r"(?:str|stp|stur)\b", "str"),
    (r"(?:stlr|stlur)\b", "stlr"),
    (r"(?:ldr|ldp|ldur)\b", "ldr"),
    (r"(?:ldar|ldapr|ldapur)\b", "ldar"),
    (r"ldx|stx|ldax|stlx|cas|swp|ldadd", "rmw"),
)
ARM_STACK = re.compile(r"\[(?:sp|x29)\b")


def arm_tokens(text: str) -> str:
    """Memory accesses, barriers and calls of an aarch64 kernel in text order, the stack's left out."""
    parts = functions(text)
    return " ".join(_arm_tokens(next(iter(parts)), parts))


def _arm_tokens(function: str, parts: dict[str, list[str]]) -> list[str]:
    found: list[str] = []
    for line in parts[function]:
        if call := re.match(r"(?:bl|b) (?!\.L)(\S+)", line):
            found += _arm_tokens(call[1], parts) if call[1] in parts else [call[1]]
        elif not ARM_STACK.search(line):
            found += next(([token] for pattern, token in ARM_TOKENS if re.match(pattern, line)), [])
    return found


def x86_facts(text: str) -> SimpleNamespace:
    """What matters of an x86 kernel: its full fences, its other fences, the names it calls."""
    body = next(iter(functions(text).values()))
    full = [line for line in body if re.match(r"lock\b|mfence|xchg\w* .*\(", line)]
    weak = [line for line in body if re.match(r"[ls]fence", line)]
    named = [re.search(r"(?:callq?|jmp) \*?(\w+)|movabsq \$([A-Za-z_]\w*),", line) for line in body]
    calls = {match[1] or match[2] for match in named if match}
    return SimpleNamespace(body=body, full=full, weak=weak, calls=calls - {"rax"})


def loops(body: list[str]) -> list[list[str]]:
    """Instructions between each label and a later jump back to it."""
    at = {line.rstrip(":"): place for place, line in enumerate(body) if line.endswith(":")}
    found = []
    for place, line in enumerate(body):
        target = re.match(r"(?:j\w+|b\S*|cbn?z|tbn?z) (?:.*, )?(\.LBB\w+)$", line)
        if target and at[target[1]] < place:
            found.append(body[at[target[1]] : place + 1])
    return found
