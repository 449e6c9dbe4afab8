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

from ..layout import LINE_BYTES, WORD_BYTES

AARCH64 = platform.machine() == "aarch64"
I64, I32, I16, I8 = ir.IntType(64), ir.IntType(32), ir.IntType(16), ir.IntType(8)
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
LONG_BYTES = 2 * TEXT_BYTES
WINDOW_BYTES = 4 * TEXT_BYTES


def _load_text(context, builder, array_type, array, index, count):
    """`count` bytes of a byte array from `index` on, as a vector."""
    kind = ir.VectorType(I8, count)
    pointer = _element(context, builder, array_type, array, index)
    load = builder.load(builder.bitcast(pointer, kind.as_pointer()), typ=kind)
    load.align = 1
    return load


def _vector_call(builder, name, result, *args):
    """Call an intrinsic of the processor."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def _take_bytes(builder, text, places):
    """text[places] byte by byte, 0 where a place has its top bit set."""
    name = "llvm.aarch64.neon.tbl1.v16i8" if AARCH64 else "llvm.x86.ssse3.pshuf.b.128"
    return _vector_call(builder, name, text.type, text, places)


def _join_lanes(builder, vector, bits, weight):
    """Make lanes of twice the width: the first of two times weight, plus the second."""
    count = TEXT_BYTES * 4 // bits
    kind = ir.VectorType(ir.IntType(2 * bits), count)
    if not AARCH64:
        name = "llvm.x86.ssse3.pmadd.ub.sw.128" if bits == 8 else "llvm.x86.sse2.pmadd.wd"
        weights = ir.Constant(ir.VectorType(ir.IntType(bits), 2 * count), [weight, 1] * count)
        return _vector_call(builder, name, kind, builder.bitcast(vector, weights.type), weights)
    weights, low = (ir.Constant(kind, [value] * count) for value in (weight, (1 << bits) - 1))
    wide = builder.bitcast(vector, kind)
    first = builder.mul(builder.and_(wide, low), weights)
    return builder.add(first, builder.lshr(wide, ir.Constant(kind, [bits] * count)))


def _four_numbers(builder, first, second):
    """Two vectors of sixteen digits as four lanes of 32 bits, eight digits each."""
    fours = [_join_lanes(builder, _join_lanes(builder, one, 8, 10), 16, 100) for one in (first, second)]
    if not AARCH64:
        halves = ir.VectorType(ir.IntType(16), TEXT_BYTES // 2)
        packed = _vector_call(builder, "llvm.x86.sse41.packusdw", halves, *fours)
        return _join_lanes(builder, packed, 16, 10_000)
    kind = fours[0].type
    upper, lower = (
        builder.shuffle_vector(*fours, ir.Constant(kind, [odd, odd + 2, odd + 4, odd + 6])) for odd in (0, 1)
    )
    return builder.add(builder.mul(upper, ir.Constant(kind, [10_000] * 4)), lower)


def _excess(builder, values, limits):
    """values - limits byte by byte, 0 where it would be negative."""
    name = f"llvm.usub.sat.v{values.type.count}i8"
    return _vector_call(builder, name, values.type, values, limits)


@intrinsic
def bytes_like(typingctx, data, index, byte):
    """bytes_like(bytes, index, byte) -> uint64: bit i is set where byte i of 32 is `byte`.

    The caller owns index + 32 <= len.
    """

    def codegen(context, builder, signature, args):
        text = _load_text(context, builder, signature.args[0], args[0], args[1], LONG_BYTES)
        same = builder.icmp_unsigned("==", text, _splat(builder, builder.trunc(args[2], I8), text.type))
        return builder.zext(builder.bitcast(same, ir.IntType(LONG_BYTES)), I64)

    return types.uint64(data, types.int64, types.int64), codegen


@intrinsic
def signs_in(typingctx, data, index):
    """signs_in(bytes, index) -> (signs, points): bit i of signs where byte i of 64 is no digit, of points where '.'.

    The caller owns index + 64 <= len.
    """

    def codegen(context, builder, signature, args):
        text = _load_text(context, builder, signature.args[0], args[0], args[1], WINDOW_BYTES)
        zeros, nines, points = (
            ir.Constant(text.type, [value] * WINDOW_BYTES) for value in (ord("0"), 9, ord("."))
        )
        above = builder.icmp_unsigned(">", builder.sub(text, zeros), nines)
        masks = [builder.bitcast(mask, I64) for mask in (above, builder.icmp_unsigned("==", text, points))]
        return context.make_tuple(builder, signature.return_type, masks)

    return types.UniTuple(types.uint64, 2)(data, types.int64), codegen


@intrinsic
def bytes_unlike(typingctx, data, index, records, row, offset):
    """bytes_unlike(bytes, index, records, row, offset) -> uint64: where 32 bytes differ from a record's, by bits.

    The record's bytes begin at `offset`. The caller owns both ends.
    """

    def codegen(context, builder, signature, args):
        text = _load_text(context, builder, signature.args[0], args[0], args[1], LONG_BYTES)
        record = _element(context, builder, signature.args[2], args[2], args[3])
        pointer = builder.gep(builder.bitcast(record, I8.as_pointer()), [args[4]])
        other = builder.load(builder.bitcast(pointer, text.type.as_pointer()), typ=text.type)
        other.align = 1
        differs = builder.icmp_unsigned("!=", text, other)
        return builder.zext(builder.bitcast(differs, ir.IntType(LONG_BYTES)), I64)

    return types.uint64(data, types.int64, records, types.int64, types.int64), codegen


@intrinsic
def read_count(typingctx, data, index, digits):
    """read_count(bytes, index, digits) -> int64: the number that `digits` decimal digits are, 0..16.

    The caller knows that they are digits and owns index + 16 <= len.
    """

    def codegen(context, builder, signature, args):
        text = _load_text(context, builder, signature.args[0], args[0], args[1], TEXT_BYTES)
        text = builder.sub(text, ir.Constant(text.type, [ord("0")] * TEXT_BYTES))
        places = ir.Constant(text.type, [place & 0xFF for place in range(-TEXT_BYTES, 0)])
        places = builder.add(places, _splat(builder, builder.trunc(args[2], I8), text.type))
        taken = _take_bytes(builder, text, places)
        parts = _four_numbers(builder, taken, taken)
        upper, lower = (builder.zext(builder.extract_element(parts, I32(lane)), I64) for lane in range(2))
        return builder.add(builder.mul(upper, I64(100_000_000)), lower)

    return types.int64(data, types.int64, types.int64), codegen


FORM_ROW = 48  # bytes of a base or of its room in the table of forms


@intrinsic
def read_pair(typingctx, data, at, point, head, forms, form, levels, row):
    """read_pair(bytes, at, point, head, forms, form, levels, row) -> int64: two decimals become levels[row].

    They are printed in a form known beforehand: a base and a room for every byte, which must be base..base + room.
    The first decimal begins at `at`; the second's point, or its closing quote, is at `point`, and `head` holds
    eight digits before it, 0..9. forms is bytes; form is (offset of the first's 32 bases in it, of the second's 16,
    the rooms FORM_ROW behind; places of the first's 16 digits in its text, two words; of the second's 8 decimals in
    the text from its point, 0x80 for a 0; what a whole is worth in each mantissa, below 2^32).
    Returns 0 when all fits; if not, what was written means nothing. The caller owns row < len(levels), at + 32 <=
    len and point + 16 <= len.
    """

    def codegen(context, builder, signature, args):
        kind, pair = ir.VectorType(I8, TEXT_BYTES), ir.VectorType(I64, 2)
        _, at, point, head, _, form, _, row = args
        form = cgutils.unpack_tuple(builder, form, 7)

        def words(low, high):
            vector = builder.insert_element(ir.Constant(pair, ir.Undefined), low, I32(0))
            return builder.insert_element(vector, high, I32(1))

        def digits_at(index, form_at, count):
            text = _load_text(context, builder, signature.args[0], args[0], index, count)
            room_at = builder.add(form_at, I64(FORM_ROW))
            base = _load_text(context, builder, signature.args[4], args[4], form_at, count)
            room = _load_text(context, builder, signature.args[4], args[4], room_at, count)
            digits = builder.sub(text, base)
            return digits, _excess(builder, digits, room)

        wide, trouble = digits_at(at, form[0], LONG_BYTES)
        lanes = ir.Constant(ir.VectorType(I32, TEXT_BYTES), list(range(TEXT_BYTES)))
        first = builder.shuffle_vector(wide, wide, lanes)
        first = _take_bytes(builder, first, builder.bitcast(words(form[2], form[3]), kind))
        second, misfit = digits_at(point, form[1], TEXT_BYTES)
        nothing = I64(0x8080808080808080)
        second = _take_bytes(builder, second, builder.bitcast(words(nothing, form[4]), kind))
        second = builder.or_(second, builder.bitcast(words(head, I64(0)), kind))
        misfit = builder.or_(misfit, _excess(builder, second, ir.Constant(kind, [9] * TEXT_BYTES)))
        longer = ir.Constant(ir.VectorType(I32, LONG_BYTES), list(range(LONG_BYTES)))
        trouble = builder.or_(trouble, builder.shuffle_vector(misfit, ir.Constant(kind, None), longer))
        parts = builder.bitcast(_four_numbers(builder, first, second), pair)
        low = ir.Constant(pair, [0xFFFFFFFF] * 2)
        worth = builder.and_(words(form[5], form[6]), low)
        values = builder.mul(builder.and_(parts, low), worth)
        values = builder.add(values, builder.lshr(parts, ir.Constant(pair, [32] * 2)))
        target = _element(context, builder, signature.args[6], args[6], row)
        store = builder.store(values, builder.bitcast(target, pair.as_pointer()))
        store.align = 8
        whole = ir.IntType(8 * LONG_BYTES)
        return builder.zext(builder.icmp_unsigned("!=", builder.bitcast(trouble, whole), whole(0)), I64)

    form_type = types.UniTuple(types.int64, 7)
    signature = types.int64(data, *[types.int64] * 2, types.uint64, forms, form_type, levels, types.int64)
    return signature, codegen


def _bits(name, llvm_name, *more):
    @intrinsic
    def count(typingctx, value):
        def codegen(context, builder, signature, args):
            return getattr(builder, llvm_name)(args[0], *more)

        return types.int64(types.uint64), codegen

    count.__doc__ = f"{name}(uint64) -> int64."
    return count


count_trailing_zeros = _bits("count_trailing_zeros", "cttz", ir.IntType(1)(0))  # 64 for 0
count_leading_zeros = _bits("count_leading_zeros", "ctlz", ir.IntType(1)(0))  # 64 for 0


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


def _ask(context, builder, pointer, to_write):
    """Prefetch a line."""
    kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [pointer, I32(to_write), I32(3), I32(1)])  # keep close, data
    return context.get_dummy_value()


def _asker(name, to_write):
    @intrinsic
    def expect(typingctx, array, index):
        def codegen(context, builder, signature, args):
            pointer = _element(context, builder, signature.args[0], args[0], args[1])
            return _ask(context, builder, builder.bitcast(pointer, I8.as_pointer()), to_write)

        return types.void(array, types.int64), codegen

    use = "written" if to_write else "read"
    expect.__doc__ = (
        f"{name}(array, index): ask for the cache line of array[index], to be {use} soon; a hint, no more."
    )
    return expect


expect_line, expect_bytes = _asker("expect_line", 1), _asker("expect_bytes", 0)


@intrinsic
def expect_at(typingctx, address):
    """expect_at(address): as expect_line, by address; any will do, for nothing is read."""

    def codegen(context, builder, signature, args):
        return _ask(context, builder, builder.inttoptr(args[0], I8.as_pointer()), 1)

    return types.void(types.int64), codegen


def _splat(builder, value, kind):
    """A vector with `value` in every lane."""
    empty, zeros = ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, kind.count), None)
    return builder.shuffle_vector(builder.insert_element(empty, value, I32(0)), empty, zeros)


def _line(context, builder, signature, args, kind):
    """The vector that begins at words[at], of a signature that begins with (words, at)."""
    pointer = _element(context, builder, signature.args[0], args[0], args[1])
    load = builder.load(builder.bitcast(pointer, kind.as_pointer()), typ=kind)
    load.align = WORD_BYTES
    return load


def _mask_of(builder, lanes):
    """A vector of booleans as the lowest bits of an int64."""
    bits = builder.bitcast(lanes, ir.IntType(lanes.type.count))
    return builder.zext(bits, I64) if lanes.type.count < I64.width else bits


def _lanes(name, kind, count):
    @intrinsic
    def lanes(typingctx, words, at, key):
        def codegen(context, builder, signature, args):
            vector = ir.VectorType(kind, count)
            sought = builder.trunc(args[2], kind) if kind.width < I64.width else args[2]
            line = _line(context, builder, signature, args, vector)
            return _mask_of(builder, builder.icmp_signed("==", line, _splat(builder, sought, vector)))

        return types.int64(words, types.int64, types.int64), codegen

    lanes.__doc__ = (
        f"{name}(words, at, key) -> int64: bit i is set where the i-th number of {kind} from words[at] on "
        f"equals key, of {count}."
    )
    return lanes


lanes_equal = _lanes("lanes_equal", I64, LINE_WORDS)
tags_equal = _lanes("tags_equal", I16, LINE_BYTES)


@intrinsic
def lanes_within(typingctx, words, at, low, high):
    """lanes_within(words, at, low, high) -> int64: bit i of 8 is set where low <= words[at + i] <= high.

    high  not below low
    """

    def codegen(context, builder, signature, args):
        kind = ir.VectorType(I64, LINE_WORDS)
        # One comparison: counted from low, what lies below it is a number greater than any span.
        span = _splat(builder, builder.sub(args[3], args[2]), kind)
        line = _line(context, builder, signature, args, kind)
        return _mask_of(
            builder, builder.icmp_unsigned("<=", builder.sub(line, _splat(builder, args[2], kind)), span)
        )

    return types.int64(words, types.int64, types.int64, types.int64), codegen


@intrinsic
def count_below(typingctx, words, at, key):
    """count_below(words, at, key): how many of the 64 words from words[at] on are below key."""

    def codegen(context, builder, signature, args):
        kind = ir.VectorType(I64, LINE_WORDS)
        start = _element(context, builder, signature.args[0], args[0], args[1])
        lines, bound, total = (
            builder.bitcast(start, kind.as_pointer()),
            _splat(builder, args[2], kind),
            kind(None),
        )
        for line in range(LINE_BYTES // LINE_WORDS):
            load = builder.load(builder.gep(lines, [I64(line)]), typ=kind)
            load.align = 8
            total = builder.sub(total, builder.sext(builder.icmp_signed("<", load, bound), kind))
        name = f"llvm.vector.reduce.add.v{LINE_WORDS}i64"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(I64, [kind]), name)
        return builder.call(function, [total])

    return types.int64(words, types.int64, types.int64), codegen


def _part(context, builder, signature, args, index, kind):
    """Pointer to a byte or tag, the `index`-th from the start of a word on."""
    start = _element(context, builder, signature.args[0], args[0], args[1])
    return builder.gep(builder.bitcast(start, kind.as_pointer()), [index])


def _part_reader(name, what, kind):
    @intrinsic
    def read(typingctx, words, at, index):
        def codegen(context, builder, signature, args):
            part = builder.load(_part(context, builder, signature, args, args[2], kind), typ=kind)
            return builder.zext(part, I64)

        return types.int64(words, types.int64, types.int64), codegen

    read.__doc__ = f"{name}(words, at, index): the {what} so many behind the start of words[at]."
    return read


def _part_writer(name, what, kind):
    @intrinsic
    def write(typingctx, words, at, index, value):
        def codegen(context, builder, signature, args):
            builder.store(
                builder.trunc(args[3], kind), _part(context, builder, signature, args, args[2], kind)
            )
            return context.get_dummy_value()

        return types.void(words, types.int64, types.int64, types.int64), codegen

    write.__doc__ = f"{name}(words, at, index, value): set the {what} so many behind the start of words[at]."
    return write


byte_of, put_byte = _part_reader("byte_of", "byte", I8), _part_writer("put_byte", "byte", I8)
tag_of, put_tag = _part_reader("tag_of", "two bytes", I16), _part_writer("put_tag", "two bytes", I16)


@intrinsic
def rotate_bytes(typingctx, words, at, first, last):
    """rotate_bytes(words, at, first, last): of the 64 bytes from words[at] on, put `last` before `first`; at > 0."""

    def codegen(context, builder, signature, args):
        kind = ir.VectorType(I8, LINE_BYTES)
        lanes = ir.Constant(kind, list(range(LINE_BYTES)))
        target = builder.bitcast(_part(context, builder, signature, args, I64(0), I8), kind.as_pointer())
        here = builder.load(target, typ=kind)
        here.align = 8
        # Made from `here`, not loaded from one byte before: a line stored just now can be had only as it was stored.
        shift = ir.Constant(ir.VectorType(I32, LINE_BYTES), [0, *range(LINE_BYTES - 1)])
        before = builder.shuffle_vector(here, here, shift)
        moved = builder.load(_part(context, builder, signature, args, args[3], I8), typ=I8)
        begin, end = (_splat(builder, builder.trunc(index, I8), kind) for index in args[2:])
        is_after = builder.icmp_unsigned(">", lanes, begin)
        is_inside = builder.and_(is_after, builder.icmp_unsigned("<=", lanes, end))
        result = builder.select(is_inside, before, here)
        result = builder.select(
            builder.icmp_unsigned("==", lanes, begin), _splat(builder, moved, kind), result
        )
        builder.store(result, target).align = 8
        return context.get_dummy_value()

    return types.void(words, types.int64, types.int64, types.int64), codegen


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


def _borrower(name, item_type, item_bytes):
    kind = types.Array(item_type, 1, "C")

    @intrinsic
    def borrow(typingctx, table, index):
        def codegen(context, builder, signature, args):
            def word(ahead):
                index = builder.add(args[1], I64(ahead))
                return builder.load(_element(context, builder, signature.args[0], args[0], index), typ=I64)

            array, size = context.make_array(kind)(context, builder), I64(item_bytes)
            data = builder.inttoptr(word(0), array.data.type)
            populate_array(array, data=data, shape=[word(1)], strides=[size], itemsize=size, meminfo=None)
            return array._getvalue()

        return kind(table, types.int64), codegen

    borrow.__doc__ = f"""{name}(table, index) -> array: its address and length stand at table[index], [index + 1].

    It borrows: whoever filled the table keeps the arrays alive, and knows which of them may be written.
    """
    return borrow


words_at = _borrower("words_at", types.int64, WORD_BYTES)
bytes_at = _borrower("bytes_at", types.uint8, 1)


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
