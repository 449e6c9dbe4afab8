"""The only room that speaks LLVM: atomics, fences, pause, bit tricks, unaligned loads, libc calls.

Numba has no CPU atomics; these intrinsics emit them with their natural 8-byte alignment (an under-aligned
atomic would become a libcall with a process-local lock). None of them checks bounds: callers index with
values they validated. They cannot run under `.py_func`.
"""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from ..layout import BLOCK_LEVELS, DIRECTORY_STEP, LINE_BYTES, WORD_BYTES

AARCH64 = platform.machine() == "aarch64"
I64, I32, I8 = ir.IntType(64), ir.IntType(32), ir.IntType(8)
SYS_FUTEX = 98 if AARCH64 else 202
LINE_WORDS = LINE_BYTES // WORD_BYTES
CLOCK_REALTIME, CLOCK_MONOTONIC = 0, 1


def _element(context, builder, array_type, array, index, width=None):
    """Pointer to array[index], or to byte `index` of a byte array as an integer of `width` bits."""
    struct = context.make_array(array_type)(context, builder, array)
    pointer = builder.gep(struct.data, [index])
    return builder.bitcast(pointer, ir.IntType(width).as_pointer()) if width else pointer


def _loader(name, ordering):
    @intrinsic
    def load(typingctx, words, index):
        def codegen(context, builder, signature, args):
            pointer = _element(context, builder, signature.args[0], args[0], args[1])
            return builder.load_atomic(pointer, ordering, 8, typ=I64)

        return types.int64(words, types.int64), codegen

    load.__doc__ = f"{name}(words, index) -> int64: atomic load, {ordering}."
    return load


def _storer(name, ordering):
    @intrinsic
    def store(typingctx, words, index, value):
        def codegen(context, builder, signature, args):
            pointer = _element(context, builder, signature.args[0], args[0], args[1])
            builder.store_atomic(args[2], pointer, ordering, 8)
            return context.get_dummy_value()

        return types.void(words, types.int64, types.int64), codegen

    store.__doc__ = f"{name}(words, index, value): atomic store, {ordering}."
    return store


def _fence(ordering):
    @intrinsic
    def fence(typingctx):
        def codegen(context, builder, signature, args):
            builder.fence(ordering)
            return context.get_dummy_value()

        return types.void(), codegen

    fence.__doc__ = f"Memory fence, {ordering}."
    return fence


load_relaxed = _loader("load_relaxed", "monotonic")
load_acquire = _loader("load_acquire", "acquire")
load_seq_cst = _loader("load_seq_cst", "seq_cst")
store_relaxed = _storer("store_relaxed", "monotonic")
store_release = _storer("store_release", "release")
store_seq_cst = _storer("store_seq_cst", "seq_cst")
fence_acquire = _fence("acquire")
fence_release = _fence("release")
fence_seq_cst = _fence("seq_cst")


@intrinsic
def cpu_relax(typingctx):
    """Tell the core that this is a spin loop (x86 PAUSE, aarch64 ISB)."""

    def codegen(context, builder, signature, args):
        if AARCH64:
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), [I32]), "llvm.aarch64.isb"
            )
            builder.call(function, [I32(15)])
        else:
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse2.pause"
            )
            builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def read_ticks(typingctx):
    """read_ticks() -> int64: the cycle counter (TSC, CNTVCT_EL0), not ordered with loads and stores."""

    def codegen(context, builder, signature, args):
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(I64, []), "llvm.readcyclecounter"
        )
        return builder.call(function, [])

    return types.int64(), codegen


@intrinsic
def load_u64(typingctx, data, index):
    """load_u64(bytes, index) -> uint64: eight bytes at any offset; the caller owns index+8 <= len."""

    def codegen(context, builder, signature, args):
        pointer = _element(context, builder, signature.args[0], args[0], args[1], 64)
        load = builder.load(pointer, typ=I64)
        load.align = 1
        return load

    return types.uint64(data, types.int64), codegen


TEXT_BYTES = 16
HEAD_STEPS = range(-TEXT_BYTES // 2, 0)


def _take_bytes(builder, text, places):
    """text[places] byte by byte, 0 where a place has its top bit set."""
    name = "llvm.aarch64.neon.tbl1.v16i8" if AARCH64 else "llvm.x86.ssse3.pshuf.b.128"
    kind = ir.FunctionType(text.type, [text.type, text.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [text, places])


def _join_lanes(builder, vector, bits, weight):
    """Make lanes of twice the width: the first of two times weight, plus the second."""
    kind = ir.VectorType(ir.IntType(2 * bits), TEXT_BYTES * 4 // bits)
    weights, low = (ir.Constant(kind, [value] * kind.count) for value in (weight, (1 << bits) - 1))
    wide = builder.bitcast(vector, kind)
    first = builder.mul(builder.and_(wide, low), weights)
    return builder.add(first, builder.lshr(wide, ir.Constant(kind, [bits] * kind.count)))


@intrinsic
def read_digits(typingctx, data, index, count, steps):
    """read_digits(bytes, index, count, steps) -> (head, tail, bad): two numbers of eight digits out of 16 bytes.

    The head is the first `count` digits, 0..8. Digit i of the tail is the byte at `count` plus byte i of `steps`, 0
    where that has its top bit set. bad is not 0 when one of the bytes is no digit. A place
    behind the 16th byte gives anything. The caller owns index + 16 <= len.
    """

    def codegen(context, builder, signature, args):
        kind, pair = ir.VectorType(I8, TEXT_BYTES), ir.VectorType(I64, 2)
        pointer = builder.bitcast(
            _element(context, builder, signature.args[0], args[0], args[1]), kind.as_pointer()
        )
        text = builder.load(pointer, typ=kind)
        text.align = 1
        head = sum((step & 0xFF) << 8 * place for place, step in enumerate(HEAD_STEPS))
        both = builder.insert_element(ir.Constant(pair, [head, 0]), args[3], I32(1))
        places = builder.add(builder.bitcast(both, kind), _splat(builder, builder.trunc(args[2], I8), kind))
        digits = builder.sub(text, ir.Constant(kind, [ord("0")] * TEXT_BYTES))
        digits = _take_bytes(builder, digits, places)
        above = builder.icmp_unsigned(">", digits, ir.Constant(kind, [9] * TEXT_BYTES))
        bad = builder.zext(builder.bitcast(above, ir.IntType(TEXT_BYTES)), I64)
        for bits, weight in ((8, 10), (16, 100), (32, 10_000)):
            digits = _join_lanes(builder, digits, bits, weight)
        parts = [builder.extract_element(digits, I32(lane)) for lane in range(2)]
        return context.make_tuple(builder, signature.return_type, [*parts, bad])

    return types.UniTuple(types.int64, 3)(data, types.int64, types.int64, types.uint64), codegen


def _bits(name, llvm_name):
    @intrinsic
    def count(typingctx, value):
        def codegen(context, builder, signature, args):
            return getattr(builder, llvm_name)(args[0], ir.IntType(1)(0))

        return types.int64(types.uint64), codegen

    count.__doc__ = f"{name}(uint64) -> int64."
    return count


count_trailing_zeros = _bits("count_trailing_zeros", "cttz")  # 64 for 0
count_leading_zeros = _bits("count_leading_zeros", "ctlz")  # 64 for 0


def _wrapping(name, sign):
    @intrinsic
    def compute(typingctx, left, right):
        def codegen(context, builder, signature, args):
            return getattr(builder, name)(*args)

        return types.int64(types.int64, types.int64), codegen

    compute.__doc__ = f"wrapping_{name}(left, right) -> int64: left {sign} right modulo 2^64."
    return compute


# Numba marks its own signed arithmetic "no signed wrap": `a - b < 0` becomes `a < b`, wrong across 2^63.
wrapping_add = _wrapping("add", "+")
wrapping_sub = _wrapping("sub", "-")


@intrinsic
def move_words(typingctx, target, to, source, start, count):
    """move_words(target, to, source, start, count): memmove of int64 words; the ranges may overlap."""

    def codegen(context, builder, signature, args):
        target_type, _, source_type, _, _ = signature.args
        into = _element(context, builder, target_type, args[0], args[1])
        out_of = _element(context, builder, source_type, args[2], args[3])
        pointer = I8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, pointer, I64, ir.IntType(1)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.memmove.p0.p0.i64")
        length = builder.shl(args[4], I64(3))
        pointers = [builder.bitcast(into, pointer), builder.bitcast(out_of, pointer)]
        builder.call(function, [*pointers, length, ir.IntType(1)(0)])
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64, types.int64), codegen


@intrinsic
def move_line(typingctx, target, to, source, start):
    """move_line(target, to, source, start): copy one cache line of int64 words in vectors; no overlap."""

    def codegen(context, builder, signature, args):
        target_type, _, source_type, _ = signature.args
        kind = ir.VectorType(I64, LINE_WORDS)
        into = _element(context, builder, target_type, args[0], args[1])
        out_of = _element(context, builder, source_type, args[2], args[3])
        load = builder.load(builder.bitcast(out_of, kind.as_pointer()), typ=kind)
        store = builder.store(load, builder.bitcast(into, kind.as_pointer()))
        load.align = store.align = 8
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64), codegen


@intrinsic
def expect_line(typingctx, words, index):
    """expect_line(words, index): ask for the cache line of words[index], to be written soon; a hint, nothing else."""

    def codegen(context, builder, signature, args):
        pointer = builder.bitcast(
            _element(context, builder, signature.args[0], args[0], args[1]), I8.as_pointer()
        )
        kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, I32(1), I32(3), I32(1)])  # to write, keep close, data
        return context.get_dummy_value()

    return types.void(words, types.int64), codegen


def _splat(builder, value, kind):
    """A vector with `value` in every lane."""
    empty, zeros = ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, kind.count), None)
    return builder.shuffle_vector(builder.insert_element(empty, value, I32(0)), empty, zeros)


def _lane_mover(name, doc, order, writes_position):
    """A whole block of BLOCK_LEVELS words as one vector: no branch, no loop, no call to memmove."""

    @intrinsic
    def move(typingctx, words, at, position, value):
        def codegen(context, builder, signature, args):
            kind = ir.VectorType(I64, BLOCK_LEVELS)
            pointer = _element(context, builder, signature.args[0], args[0], args[1])
            pointer = builder.bitcast(pointer, kind.as_pointer())
            old, fresh = builder.load(pointer, typ=kind), _splat(builder, args[3], kind)
            moved = builder.shuffle_vector(old, fresh, ir.Constant(ir.VectorType(I32, BLOCK_LEVELS), order))
            lane, here = ir.Constant(kind, list(range(BLOCK_LEVELS))), _splat(builder, args[2], kind)
            new = builder.select(builder.icmp_signed("<", lane, here), old, moved)
            if writes_position:
                new = builder.select(builder.icmp_signed("==", lane, here), fresh, new)
            store = builder.store(new, pointer)
            old.align = store.align = 8
            return context.get_dummy_value()

        return types.void(words, types.int64, types.int64, types.int64), codegen

    move.__doc__ = f"{name}(words, at, position, value): {doc}"
    return move


insert_word = _lane_mover(
    "insert_word",
    "put value at `position` of BLOCK_LEVELS words; those behind move up, the last is lost.",
    [BLOCK_LEVELS, *range(BLOCK_LEVELS - 1)],
    True,
)
remove_word = _lane_mover(
    "remove_word",
    "take out the word at `position` of BLOCK_LEVELS words; those behind move down, value is last.",
    [*range(1, BLOCK_LEVELS), BLOCK_LEVELS],
    False,
)


def _counter(name, count):
    """`count` words as vectors, one population count a line: it ends sooner than summing lanes."""

    @intrinsic
    def count_below(typingctx, words, at, key):
        def codegen(context, builder, signature, args):
            kind, total = ir.VectorType(I64, LINE_WORDS), I64(0)
            key = _splat(builder, args[2], kind)
            for line in range(0, count, LINE_WORDS):
                index = builder.add(args[1], I64(line))
                pointer = _element(context, builder, signature.args[0], args[0], index)
                load = builder.load(builder.bitcast(pointer, kind.as_pointer()), typ=kind)
                load.align = 8
                below = builder.bitcast(builder.icmp_signed("<", load, key), ir.IntType(LINE_WORDS))
                total = builder.add(total, builder.ctpop(builder.zext(below, I64)))
            return total

        return types.int64(words, types.int64, types.int64), codegen

    count_below.__doc__ = f"{name}(words, at, key) -> int64: how many of {count} words are below a key."
    return count_below


count_line = _counter("count_line", LINE_WORDS)
count_block = _counter("count_block", BLOCK_LEVELS)
count_step = _counter("count_step", DIRECTORY_STEP)


@intrinsic
def edit_words(typingctx, words, at, position, value, step, last):
    """edit_words(words, at, position, value, step, last): BLOCK_LEVELS words, changed without a branch.

    step 1 inserts value at `position`, the last word is lost; -1 takes out that word and puts `last` last; 0 sets
    it. A position of BLOCK_LEVELS or more with step 0 changes nothing. The word before and the word behind are read.
    """

    def codegen(context, builder, signature, args):
        kind = ir.VectorType(I64, BLOCK_LEVELS)
        _, at, position, value, step, last = args

        def pointer(index):
            found = _element(context, builder, signature.args[0], args[0], index)
            return builder.bitcast(found, kind.as_pointer())

        old = builder.load(pointer(at), typ=kind)
        moved = builder.load(pointer(builder.sub(at, step)), typ=kind)
        removes = builder.icmp_signed("<", step, I64(0))
        target = _splat(builder, builder.select(removes, I64(BLOCK_LEVELS - 1), position), kind)
        fresh = _splat(builder, builder.select(removes, last, value), kind)
        lane = ir.Constant(kind, list(range(BLOCK_LEVELS)))
        new = builder.select(builder.icmp_signed("<", lane, _splat(builder, position, kind)), old, moved)
        store = builder.store(
            builder.select(builder.icmp_signed("==", lane, target), fresh, new), pointer(at)
        )
        old.align = moved.align = store.align = 8
        return context.get_dummy_value()

    return types.void(words, *[types.int64] * 5), codegen


def array_viewer(array_type, at_word, count_word=None, count=1, rows=1):
    """Make view(words): the part that starts at words[at_word], as `array_type`, 1-d, or 2-d with `rows` rows.

    Its length is words[count_word], or `count`. The view borrows: it holds no reference, so that making it
    costs no atomic count.
    """

    @intrinsic
    def view(typingctx, words):
        def codegen(context, builder, signature, args):
            def word(index):
                return builder.load(
                    _element(context, builder, signature.args[0], args[0], I64(index)), typ=I64
                )

            array = context.make_array(array_type)(context, builder)
            size = I64(context.get_abi_sizeof(context.get_data_type(array_type.dtype)))
            length = I64(count) if count_word is None else word(count_word)
            shape, strides = [length], [size]
            if array_type.ndim == 2:
                shape, strides = [I64(rows), length], [builder.mul(length, size), size]
            data = builder.bitcast(
                _element(context, builder, signature.args[0], args[0], word(at_word)), array.data.type
            )
            populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
            return array._getvalue()

        return array_type(words), codegen

    return view


@intrinsic
def words_at(typingctx, table, index):
    """words_at(table, index) -> int64[:]: the array whose address and length stand at table[index], [index + 1].

    It borrows: whoever filled the table keeps the arrays alive, and knows which of them may be written.
    """
    kind = types.Array(types.int64, 1, "C")

    def codegen(context, builder, signature, args):
        def word(ahead):
            index = builder.add(args[1], I64(ahead))
            return builder.load(_element(context, builder, signature.args[0], args[0], index), typ=I64)

        array, length = context.make_array(kind)(context, builder), word(1)
        data = builder.inttoptr(word(0), array.data.type)
        populate_array(array, data=data, shape=[length], strides=[I64(8)], itemsize=I64(8), meminfo=None)
        return array._getvalue()

    return kind(table, types.int64), codegen


@intrinsic
def clock_ns(typingctx, clock):
    """clock_ns(CLOCK_REALTIME | CLOCK_MONOTONIC) -> int64 nanoseconds, by the vDSO's clock_gettime."""

    def codegen(context, builder, signature, args):
        spec = cgutils.alloca_once(builder, ir.LiteralStructType([I64, I64]))
        kind = ir.FunctionType(I32, [I32, I64.as_pointer()])
        function = cgutils.get_or_insert_function(builder.module, kind, "clock_gettime")
        first = builder.bitcast(spec, I64.as_pointer())
        builder.call(function, [builder.trunc(args[0], I32), first])
        seconds = builder.load(first, typ=I64)
        rest = builder.load(builder.gep(first, [I64(1)]), typ=I64)
        return builder.add(builder.mul(seconds, I64(1_000_000_000)), rest)

    return types.int64(types.int64), codegen


@intrinsic
def bytes_at(typingctx, table, index):
    """bytes_at(table, index) -> uint8[:]: as words_at, of bytes; their number stands at table[index + 1]."""
    kind = types.Array(types.uint8, 1, "C")

    def codegen(context, builder, signature, args):
        def word(ahead):
            index = builder.add(args[1], I64(ahead))
            return builder.load(_element(context, builder, signature.args[0], args[0], index), typ=I64)

        array, length = context.make_array(kind)(context, builder), word(1)
        data = builder.inttoptr(word(0), array.data.type)
        populate_array(array, data=data, shape=[length], strides=[I64(1)], itemsize=I64(1), meminfo=None)
        return array._getvalue()

    return kind(table, types.int64), codegen


@intrinsic
def call_c(typingctx, function, first, second, third, fourth):
    """call_c(address, first, second, third, fourth) -> int64: call a C function and widen the int it returns.

    It may take fewer than four arguments: the C ABIs of x86-64 and aarch64 ignore those it does not know of.
    Pointers travel as int64. A longer result keeps its low half, which is enough for sizes below 2 GiB.
    """

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(I32, [I64] * 4)
        found = builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return builder.sext(found, I64)

    return types.int64(*[types.int64] * 5), codegen


@intrinsic
def load_c_int(typingctx, address):
    """load_c_int(address) -> int64: the C int that lies at an address, such as errno of this thread."""

    def codegen(context, builder, signature, args):
        load = builder.load(builder.inttoptr(args[0], I32.as_pointer()), typ=I32)
        load.align = 1
        return builder.sext(load, I64)

    return types.int64(types.int64), codegen


FUTEX_WAIT, FUTEX_WAKE = 0, 1  # never the PRIVATE variants: the sleepers are other processes


def _syscall(builder, *arguments):
    kind = ir.FunctionType(I64, [I64] * 7)
    function = cgutils.get_or_insert_function(builder.module, kind, "syscall")
    padded = (*arguments, *([I64(0)] * (7 - len(arguments))))
    return builder.call(function, padded)


@intrinsic
def futex_wait(typingctx, words, index, expected, timeout_ns):
    """futex_wait(words, index, expected, timeout_ns) -> int64: sleep while the word's low half is `expected`.

    Returns 0 when woken, -1 on time-out, signal or another value; callers look at the data, not at this.
    """

    def codegen(context, builder, signature, args):
        pointer = builder.ptrtoint(_element(context, builder, signature.args[0], args[0], args[1]), I64)
        spec = cgutils.alloca_once(builder, ir.LiteralStructType([I64, I64]))
        first = builder.bitcast(spec, I64.as_pointer())
        second = I64(1_000_000_000)
        builder.store(builder.sdiv(args[3], second), first)
        builder.store(builder.srem(args[3], second), builder.gep(first, [I64(1)]))
        low = builder.and_(args[2], I64(0xFFFFFFFF))
        return _syscall(builder, I64(SYS_FUTEX), pointer, I64(FUTEX_WAIT), low, builder.ptrtoint(spec, I64))

    return types.int64(words, types.int64, types.int64, types.int64), codegen


@intrinsic
def futex_wake(typingctx, words, index, sleepers):
    """futex_wake(words, index, sleepers) -> int64: wake up to `sleepers` processes; returns how many."""

    def codegen(context, builder, signature, args):
        pointer = builder.ptrtoint(_element(context, builder, signature.args[0], args[0], args[1]), I64)
        return _syscall(builder, I64(SYS_FUTEX), pointer, I64(FUTEX_WAKE), args[2])

    return types.int64(words, types.int64, types.int64), codegen
