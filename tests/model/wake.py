"""The sleep protocol as a machine of small steps over store buffers (TSO), explored exhaustively.

Writer, per batch: data = n; fence; if flag: flag = 0, word += 1, wake all. Reader, until it has seen all:
if data is there go on; w = word; flag = 1; fence; look again; sleep while word == w. A store goes into its
processor's buffer and reaches memory at any later moment, in order; a fence waits until the buffer is empty.
A time-out, which the real reader also has, is left out: without it every lost wake is a sleeper for ever.
With `dies`, the writer may be killed before any step; what its buffer holds still reaches memory.
"""

from collections.abc import Iterator

MISTAKES = ("no writer fence", "no reader fence", "word not bumped", "bump before clear", "flag before word")
DATA, FLAG, WORD = range(3)
ASLEEP, DEAD = "asleep", "dead"

State = (
    tuple  # (memory, writer, readers); writer = (pc, batch, buffer, old word); reader = (pc, seen, w, buffer)
)


def writer_steps(mistake: str) -> tuple[str, ...]:
    steps = ["publish", "fence", "look", "clear", "bump", "drain", "wake"]
    if mistake == "no writer fence":
        steps.remove("fence")
    if mistake == "word not bumped":
        steps.remove("bump")
    if mistake == "bump before clear":
        steps[3], steps[4] = "bump", "clear"
    return tuple(steps)


def reader_steps(mistake: str) -> tuple[str, ...]:
    steps = ["check", "word", "flag", "fence", "again", "sleep"]
    if mistake == "no reader fence":
        steps.remove("fence")
    if mistake == "flag before word":
        steps[1], steps[2] = "flag", "word"
    return tuple(steps)


def load(memory: tuple, buffer: tuple, place: int) -> int:
    """A processor sees its own buffered stores first."""
    return next((value for at, value in reversed(buffer) if at == place), memory[place])


def flush(memory: tuple, buffer: tuple) -> tuple[tuple, tuple]:
    at, value = buffer[0]
    return (*memory[:at], value, *memory[at + 1 :]), buffer[1:]


def move_writer(state: State, steps: tuple[str, ...], batches: int) -> Iterator[State]:
    memory, (pc, batch, buffer), readers = state
    if buffer:
        after, rest = flush(memory, buffer)
        yield after, (pc, batch, rest), readers
    if batch == batches or pc == DEAD:
        return
    step, onward = steps[pc], (pc + 1) % len(steps)
    done = batch + (onward == 0)
    if step == "publish":
        yield memory, (onward, done, (*buffer, (DATA, batch + 1))), readers
    elif step in ("fence", "drain"):
        if not buffer:
            yield memory, (onward, done, buffer), readers
    elif step == "look":
        if load(memory, buffer, FLAG):
            yield memory, (onward, done, buffer), readers
        else:
            yield memory, (0, batch + 1, buffer), readers
    elif step == "clear":
        yield memory, (onward, done, (*buffer, (FLAG, 0))), readers
    elif step == "bump":
        word = load(memory, buffer, WORD) + 1
        yield memory, (onward, done, (*buffer, (WORD, word))), readers
    else:  # wake everybody who sleeps
        woken = tuple((0, *r[1:]) if r[0] == ASLEEP else r for r in readers)
        yield memory, (onward, done, buffer), woken


def move_reader(state: State, which: int, steps: tuple[str, ...], batches: int) -> Iterator[State]:
    memory, writer, readers = state
    pc, seen, w, buffer = readers[which]

    def now(memory: tuple, *reader: object) -> State:
        return memory, writer, (*readers[:which], reader, *readers[which + 1 :])

    if buffer:
        after, rest = flush(memory, buffer)
        yield now(after, pc, seen, w, rest)
    if pc == ASLEEP or seen == batches:
        return
    step, onward = steps[pc], (pc + 1) % len(steps)
    if step in ("check", "again"):
        data = load(memory, buffer, DATA)
        yield now(memory, 0, data, 0, buffer) if data > seen else now(memory, onward, seen, w, buffer)
    elif step == "word":
        yield now(memory, onward, seen, load(memory, buffer, WORD), buffer)
    elif step == "flag":
        yield now(memory, onward, seen, w, (*buffer, (FLAG, 1)))
    elif step == "fence":
        if not buffer:
            yield now(memory, onward, seen, w, buffer)
    elif not buffer:  # the system call: full barrier, then compare and sleep in one step
        yield now(memory, ASLEEP if memory[WORD] == w else 0, seen, w, buffer)


def reach(batches: int, readers: int, mistake: str = "", dies: bool = False, times_out: bool = False) -> dict:
    """Visit all states; returns each with the states that can follow it."""
    of_writer, of_reader = writer_steps(mistake), reader_steps(mistake)
    start: State = ((0, 0, 0), (0, 0, ()), ((0, 0, 0, ()),) * readers)
    found: dict[State, list[State]] = {start: []}
    queue = [start]
    while queue:
        state = queue.pop()
        memory, (pc, batch, buffer), sleepers = state
        moves = list(move_writer(state, of_writer, batches))
        if dies and pc != DEAD and batch < batches:
            moves.append((memory, (DEAD, batch, buffer), sleepers))
        for which, reader in enumerate(sleepers):
            moves += move_reader(state, which, of_reader, batches)
            if times_out and reader[0] == ASLEEP:
                awake = (0, *reader[1:])
                moves.append((memory, state[1], (*sleepers[:which], awake, *sleepers[which + 1 :])))
        found[state] = moves
        for move in moves:
            if move not in found:
                found[move] = []
                queue.append(move)
    return found


def explore(batches: int, readers: int, mistake: str = "") -> tuple[int, list[State]]:
    """Visit all states; returns their number and those where nothing can move but a reader still waits."""
    found = reach(batches, readers, mistake)
    return len(found), [
        state
        for state, moves in found.items()
        if not moves and any(reader[1] < batches for reader in state[2])
    ]


def stranded(batches: int, readers: int, times_out: bool) -> tuple[int, list[State]]:
    """How many states have a dead writer, and those from which some reader never sees all it published.

    Never: no run of the readers, their buffers and time-outs leads there.
    """
    found = reach(batches, readers, dies=True, times_out=times_out)
    dead = {state for state in found if state[1][0] == DEAD}
    before: dict[State, list[State]] = {state: [] for state in dead}
    for state in dead:
        for move in found[state]:
            before[move].append(state)
    queue = [s for s in dead if not s[1][2] and all(reader[1] == s[0][DATA] for reader in s[2])]
    freed = set(queue)
    while queue:
        for state in before[queue.pop()]:
            if state not in freed:
                freed.add(state)
                queue.append(state)
    return len(dead), sorted(dead - freed, key=repr)
