"""The instructions that the orderings become, on aarch64 and x86, without owning either; and that the check bites."""

import importlib.util
import platform
import re
from types import ModuleType, SimpleNamespace

import pytest
from llvmlite import ir

from ringbook.engine.kernels import board, book_area, emit, idle, ledger, lifecycle, llvm, ring, wait

from . import codegen
from .bus_tools import blank_bus
from .codegen import ARM, ARM_CPUS, X86, X86_CPUS, arm_tokens, assembly, loops, x86_facts

ROOMS = (
    board,
    book_area,
    emit,
    idle,
    ledger,
    lifecycle,
    ring,
    wait,
)  # imported, so that their kernels are registered

PLAIN = r"(?:(?:ldr|str) )*"
COPY = r"(?:(?:ldr|str|memmove) )*"
# Accesses, barriers and calls in text order; the last stores are the kernel's own result.
ON_ARM = {
    "ring.claim": r"(?:ldr )+str dmb (?:str )*",
    "ring.commit": r"stlr (?:str )*",
    "emit.emit_trade": rf"(?:ldr )+str dmb {PLAIN}clock_gettime {PLAIN}stlr {PLAIN}",
    "ring.publish_head": r"stlr dmb ldr (?:str )*str ldr stlr syscall (?:str )*",
    "ring.read_record": r"(?:ldr )+ldar (?:(?:str|ldr) )+dmb\.ld ldr (?:str )*",
    "ring.newest": r"ldar (?:str )*",
    "ring.newest_after_lap": r"(?:ldr )+ldar ldar (?:str )*",
    "board.board_write": rf"(?:ldr )+str dmb {PLAIN}stlr stlr (?:str )*",
    # The loop is laid out from its end: the check after the copy, then the two looks before it, then the copy.
    "board.board_read": r"(?:ldr )+dmb\.ld ldr ldar (?:ldr )*ldar (?:(?:ldr|str) )+",
    "book_area.book_begin": r"ldr str dmb (?:str )*",
    "book_area.book_end": r"(?:str )+ldr stlr (?:str )*",
    "book_area.copy_book": rf"ldar {COPY}dmb\.ld ldr (?:str )*",
    "book_area.serve_book_request": rf"{PLAIN}str dmb {COPY}stlr (?:str )*",
    "book_area.read_scratch": rf"(?:ldr )*ldar {COPY}dmb\.ld ldr (?:str )*",
    "ledger.row_begin": r"ldr str dmb (?:str )*",
    "ledger.row_end": r"ldr stlr (?:str )*",
    "ledger.read_ledger": r"(?:ldr )*ldar (?:(?:ldr|str) )+dmb\.ld ldr (?:str )*",
    "lifecycle.put_word": r"stlr (?:str )*",
    "lifecycle.get_word": r"ldar (?:str )*",
    "wait.spin_until": r"(?:ldr )+isb (?:ldr )+(?:str )*",
    "wait.judge_wake": rf"ldar ldar {PLAIN}",
    # Settle the last suspicion, read the word, sleep; then the head, and the two looks of judge_wake.
    "idle.wait_for_next": rf"(?:ldr )+isb {PLAIN}ldar ldar {PLAIN}ldar ldar stlr dmb (?:ldr )+(?:str )*"
    rf"clock_gettime syscall (?:ldr )+clock_gettime ldar {PLAIN}ldar ldar {PLAIN}",
    "wait.sleep_until": r"ldar stlr dmb (?:ldr )+(?:str )*clock_gettime syscall (?:ldr )+clock_gettime (?:str )*",
}
# Full fences on x86: nowhere but where a store must be seen before a later load.
FULL_FENCES = {"ring.publish_head": 1, "wait.sleep_until": 2, "idle.wait_for_next": 2}
KNOWN_CALLS = {"syscall", "clock_gettime", "memmove"}


def arm_fault(name: str, text: str) -> str | None:
    """What is wrong with the aarch64 assembly of a kernel."""
    if "__atomic_" in text or "__aarch64_" in text:
        return "calls a library for an atomic"
    found = arm_tokens(text) + " "
    return None if re.fullmatch(ON_ARM[name], found) else f"{found!r} is not {ON_ARM[name]!r}"


def x86_fault(name: str, text: str) -> str | None:
    """What is wrong with the x86 assembly of a kernel."""
    found = x86_facts(text)
    if "__atomic_" in text:
        return "calls a library for an atomic"
    if any(call not in KNOWN_CALLS and "ringbook6engine7kernels" not in call for call in found.calls):
        return f"calls {found.calls}"
    if found.weak or len(found.full) != FULL_FENCES.get(name, 0):
        return f"fences {found.full + found.weak}"
    if name == "wait.spin_until" and not any(spins(loop) for loop in loops(found.body)):
        return "no loop looks at memory and pauses"
    return None


def spins(loop: list[str]) -> bool:
    """Whether a loop pauses and loads a word that is not on the stack; dead loads are gone at this point."""
    indexed = [line for line in loop if re.match(r"mov\w* .*\(%r(?!sp|bp).*, ?%r|cmpq \(%|mov\w* \(%r", line)]
    return "pause" in loop and len(indexed) > 0


@pytest.mark.parametrize("cpu", ARM_CPUS)
@pytest.mark.parametrize("name", ON_ARM)
def test_aarch64(name: str, cpu: str) -> None:
    assert arm_fault(name, assembly(name, ARM, cpu)) is None


@pytest.mark.parametrize("cpu", X86_CPUS)
@pytest.mark.parametrize("name", ON_ARM)
def test_x86(name: str, cpu: str) -> None:
    assert x86_fault(name, assembly(name, X86, cpu)) is None


def test_every_kernel_with_an_ordering_is_looked_at() -> None:
    """A new PAIR label in a kernel that is not in the table above fails here."""
    missing = set()
    for path in sorted(codegen.KERNELS_FOLDER.glob("*.py")):
        kernel = ""
        for line in path.read_text().splitlines():
            if match := re.match(r"def (\w+)", line):
                kernel = f"{path.stem}.{match[1]}"
            if "# PAIR " in line and path.name != "llvm.py" and kernel not in ON_ARM:
                missing.add(kernel)
    assert not missing


# (kernel, text in its IR, what is put there instead, which assembly shows it)
WEAKENED = [
    ("ring.claim", r"fence release", "", "arm"),
    ("ring.claim", r"(store atomic[^\n]*)\n  (fence release)", r"\2\n  \1", "arm"),
    ("emit.emit_trade", r"fence release", "", "arm"),
    ("ring.commit", r"(store atomic.*) release", r"\1 monotonic", "arm"),
    ("ring.commit", r"(store atomic.*) align 8", r"\1 align 4", "both"),
    ("ring.publish_head", r"fence seq_cst", "", "both"),
    ("ring.publish_head", r"fence seq_cst", "fence acq_rel", "x86"),
    ("ring.publish_head", r"fence seq_cst", "fence release", "x86"),
    ("ring.publish_head", r"(store atomic i64 %arg.*) release", r"\1 monotonic", "arm"),
    ("ring.publish_head", r"(store atomic.*) release", r"\1 seq_cst", "x86"),
    ("ring.read_record", r"(load atomic.*) acquire", r"\1 monotonic", "arm"),
    ("ring.read_record", r"fence acquire", "", "arm"),
    ("ring.read_record", r"fence acquire", "fence seq_cst", "both"),
    ("ring.read_record", r"(load atomic.*) align 8", r"\1 align 4", "both"),
    ("ring.newest", r"(load atomic.*) acquire", r"\1 monotonic", "arm"),
    ("board.board_write", r"fence release", "", "arm"),
    ("board.board_write", r"(store atomic.*) release", r"\1 monotonic", "arm"),
    ("board.board_read", r"fence acquire", "", "arm"),
    ("board.board_read", r"(load atomic.*) acquire", r"\1 monotonic", "arm"),
    ("book_area.book_begin", r"fence release", "", "arm"),
    ("book_area.book_end", r"(store atomic.*) release", r"\1 monotonic", "arm"),
    ("book_area.copy_book", r"fence acquire", "", "arm"),
    ("book_area.copy_book", r"(load atomic.*) acquire", r"\1 monotonic", "arm"),
    ("book_area.serve_book_request", r"fence release", "", "arm"),
    ("book_area.read_scratch", r"fence acquire", "", "arm"),
    ("lifecycle.put_word", r"(store atomic.*) release", r"\1 monotonic", "arm"),
    ("lifecycle.get_word", r"(load atomic.*) acquire", r"\1 monotonic", "arm"),
    ("wait.sleep_until", r"fence seq_cst", "", "both"),
    ("wait.sleep_until", r"(store atomic.*) seq_cst", r"\1 monotonic", "both"),
    ("wait.sleep_until", r"(load atomic.*) acquire", r"\1 monotonic", "arm"),
    ("wait.judge_wake", r"(load atomic.*) acquire", r"\1 monotonic", "arm"),
    ("idle.wait_for_next", r"(load atomic.*) acquire", r"\1 monotonic", "arm"),
    ("wait.spin_until", r"%(\S+) = load atomic .*", r"%\1 = add i64 0, 0", "both"),
    ("wait.spin_until", r"(?:tail )?call void @llvm\.(x86\.sse2\.pause|aarch64\.isb)\(.*", "", "both"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "strong", "weak", "shown"), WEAKENED, ids=[f"{n}-{s}" for n, s, *_ in WEAKENED]
)
def test_weakened_code_is_refused(name: str, strong: str, weak: str, shown: str) -> None:
    """Each fence taken out, each ordering weakened, each alignment halved is seen in the instructions."""
    text, count = re.subn(strong, weak, codegen.ir_of(name))
    assert count
    if shown in ("arm", "both"):
        for cpu in ARM_CPUS:
            assert arm_fault(name, codegen.emit(text, ARM, cpu))
    if shown in ("x86", "both"):
        for cpu in X86_CPUS:
            assert x86_fault(name, codegen.emit(text, X86, cpu))


def llvm_room_on(machine: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The LLVM room as it is imported on another machine."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    spec = importlib.util.spec_from_file_location(f"{llvm.__package__}.llvm_on_{machine}", llvm.__file__)
    assert spec
    assert spec.loader
    room = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(room)
    return room


@pytest.mark.parametrize(
    ("machine", "triple", "futex", "hint"), [("aarch64", ARM, 98, "isb"), ("x86_64", X86, 202, "pause")]
)
def test_spin_hint_and_system_call_of_each_machine(
    machine: str, triple: str, futex: int, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the substitution in codegen.retarget stands for is what the LLVM room itself would emit there."""
    room = llvm_room_on(machine, monkeypatch)
    assert futex == room.SYS_FUTEX
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), []), "relax")
    builder = ir.IRBuilder(function.append_basic_block())
    _, generate = room.cpu_relax._defn(None)
    generate(SimpleNamespace(get_dummy_value=lambda: None), builder, None, ())
    builder.ret_void()
    text = str(module)
    assert codegen.retarget(text, triple).count("call void") == 1
    body = codegen.functions(codegen.emit(text, triple, ""))["relax"]
    assert hint in body


@pytest.mark.parametrize(("machine", "triple", "cpu", "shuffle"), [
    ("aarch64", ARM, "generic", "tbl"), ("x86_64", X86, "skylake", "vpshufb"), ("x86_64", X86, "core2", "pshufb"),
])  # fmt: skip
def test_one_instruction_takes_the_bytes_of_a_number(
    machine: str, triple: str, cpu: str, shuffle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The byte shuffle has another name on each machine; no test here runs the other one's."""
    room = llvm_room_on(machine, monkeypatch)
    kind, module = ir.VectorType(ir.IntType(8), room.TEXT_BYTES), ir.Module()
    function = ir.Function(module, ir.FunctionType(kind, [kind, kind]), "take")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(room._take_bytes(builder, *function.args))
    body = codegen.functions(codegen.emit(str(module), triple, cpu))["take"]
    assert sum(line.startswith(shuffle) for line in body) == 1
    assert not any(line.startswith(("bl ", "call")) for line in body)


@pytest.mark.parametrize(("triple", "cpu", "hint"), [
    (ARM, "generic", "prfm pstl1keep"), (X86, "znver4", "prefetchw"), (X86, "x86-64", "prefetch"),
])  # fmt: skip
def test_the_next_slot_is_asked_for_and_not_touched(triple: str, cpu: str, hint: str) -> None:
    """Each processor's own hint, in a loop over the slot's lines."""
    body = next(iter(codegen.functions(assembly("ring.expect", triple, cpu)).values()))
    assert any(line.startswith(hint) for loop in loops(body) for line in loop)


def test_asking_changes_nothing() -> None:
    words, geo, _ = blank_bus(slots=8, top_n=20)
    words[:] = range(len(words))
    before = words.copy()
    ring.expect(words, geo, 5)
    assert (words == before).all()
