// The bus's ring in C11, as fast as a C compiler makes it: the machine's limit that the kernels are held against.
//
// Same protocol, same file, same slots as engine/kernels/ring.py and wait.py, so that each side can read what the
// other wrote. Offsets come from layout.py with -D at compile time. The record's width is a constant inside each
// loop, and the body moves by whole lines, in vectors: a racing copy is thrown away when the slot's seq has changed, and
// the fences keep it between the two looks. Formally C11 wants atomics there; no compiler makes vectors of those.
//
//     ring ROLE CORE RING CTL RESULT SLOTS WIDTH FIRST COUNT STEP_NS BATCH SLEEP_NS SPIN_TICKS WHO READERS [RING2]

#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define INLINE static inline __attribute__((always_inline))
typedef int64_t word;
typedef _Atomic int64_t shared;
typedef word line __attribute__((vector_size(64), may_alias)); // one cache line, one register where there is AVX-512

enum { WRITE, READ, PING, PONG, WAKE, SLEEP };               // as ROLES in shape.py
enum { ACCEPTED, LOST, WRONG, ELAPSED, MISSED, SLEEPS };      // as in shape.py
enum { EARLY, OK, LAPPED };

static struct {
    word slots, width, first, count, step_ns, batch, sleep_ns, spin_ticks, who, readers;
} job;
static shared *ctl;
static word *result;
static word (*rows)[];

INLINE word clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

INLINE word ticks(void) {
#ifdef __x86_64__
    return (word)__builtin_ia32_rdtsc();
#else
    word now;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
    return now;
#endif
}

// With PAUSE this reader is faster than without: its own loads do not crowd out the writer's store.
INLINE void relax(void) {
#ifdef __x86_64__
    __builtin_ia32_pause();
#else
    __asm__ volatile("isb" ::: "memory");
#endif
}

INLINE shared *slot_of(shared *bus, word seq, const word width) {
    return bus + RING_AT + (seq & (job.slots - 1)) * width;
}

// Copy `lines` cache lines, both sides aligned; left to itself, gcc makes a slow `rep movsq` of it.
INLINE void copy_lines(void *to, const void *from, const word lines) {
    for (word at = 0; at < lines; at++) ((line *)to)[at] = ((const line *)from)[at];
}

// W1..W4. `row` holds the payload and, in its third word, the payload's sum.
INLINE void publish(shared *bus, word seq, word due_ns, const word *row, const word width) {
    shared *slot = slot_of(bus, seq, width);
    atomic_store_explicit(slot, seq - 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(slot + 1, due_ns, memory_order_relaxed);
    atomic_store_explicit(slot + 2, row[2] ^ due_ns ^ seq, memory_order_relaxed);
    for (word at = 3; at < 8; at++) atomic_store_explicit(slot + at, row[at], memory_order_relaxed);
    copy_lines((void *)(slot + 8), row + 8, width / 8 - 1);
    atomic_store_explicit(slot, seq, memory_order_release);
}

static void wake_sleepers(void) {
    atomic_store_explicit(ctl + CTL_WAITERS, 0, memory_order_relaxed);
    word bumped = atomic_load_explicit(ctl + CTL_WAKE, memory_order_relaxed) + 1;
    atomic_store_explicit(ctl + CTL_WAKE, bumped, memory_order_release);
    syscall(SYS_futex, ctl + CTL_WAKE, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

// W5..W7.
INLINE void publish_head(shared *bus, word next_seq) {
    atomic_store_explicit(bus + H_HEAD, next_seq, memory_order_seq_cst);
    if (__builtin_expect(atomic_load_explicit(ctl + CTL_WAITERS, memory_order_seq_cst) != 0, 0)) wake_sleepers();
}

// R1..R5.
INLINE int read_record(shared *bus, word seq, word *out, const word width) {
    shared *slot = slot_of(bus, seq, width);
    word ahead = (word)((uint64_t)atomic_load_explicit(slot, memory_order_acquire) - (uint64_t)seq);
    if (ahead) return ahead < 0 ? EARLY : LAPPED;
    copy_lines(out, (const void *)slot, width / 8);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(slot, memory_order_relaxed) == seq ? OK : LAPPED;
}

INLINE int is_ready(shared *bus, word seq, const word width) {
    return atomic_load_explicit(slot_of(bus, seq, width), memory_order_relaxed) - seq >= 0;
}

static void futex_wait(word expected, word timeout_ns) {
    struct timespec limit = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    syscall(SYS_futex, ctl + CTL_WAKE, FUTEX_WAIT, (uint32_t)expected, timeout_ns ? &limit : NULL, NULL, 0);
}

// Spin without a bound, or for spin_ticks and then sleep, until the record is there.
INLINE void wait_for(shared *bus, word seq, const word width) {
    if (!job.sleep_ns) {
        while (!is_ready(bus, seq, width)) relax();
        return;
    }
    for (;;) {
        word begun = ticks();
        while (ticks() - begun < job.spin_ticks) {
            if (is_ready(bus, seq, width)) return;
            relax();
        }
        word seen = atomic_load_explicit(ctl + CTL_WAKE, memory_order_acquire);
        atomic_store_explicit(ctl + CTL_WAITERS, 1, memory_order_seq_cst);
        if (is_ready(bus, seq, width)) return;
        result[SLEEPS]++;
        futex_wait(seen, job.sleep_ns);
        if (is_ready(bus, seq, width)) return;
    }
}

INLINE word sum_of(const word *record, const word width) {
    line total = ((const line *)record)[0];
    for (word at = 1; at < width / 8; at++) total ^= ((const line *)record)[at];
    return total[0] ^ total[1] ^ total[2] ^ total[3] ^ total[4] ^ total[5] ^ total[6] ^ total[7];
}

INLINE void write_all(shared *bus, const word width) {
    const word(*row)[width] = (void *)rows;
    word begun = clock_ns(), due_ns = begun + BEFORE_NS, pick = 0, left = job.batch;
    for (word seq = job.first; seq < job.first + job.count; seq++) {
        if (job.step_ns)
            while (clock_ns() < due_ns) {}
        publish(bus, seq, due_ns, row[pick], width);
        due_ns += job.step_ns;
        if (++pick == ROWS) pick = 0;
        if (--left == 0 || seq == job.first + job.count - 1) {
            publish_head(bus, seq + 1);
            left = job.batch;
        }
    }
    result[ELAPSED] = clock_ns() - begun;
    result[ACCEPTED] = job.count;
}

INLINE void read_all(shared *bus, const word width) {
    word record[width] __attribute__((aligned(64))), *samples = result + RESULT_WORDS;
    word seq = job.first, last = job.first + job.count - 1, begun = 0, accepted = 0, wrong = 0;
    while (seq <= last) {
        int code = read_record(bus, seq, record, width);
        if (__builtin_expect(code == OK, 1)) {
            if (job.step_ns) {
                samples[accepted] = clock_ns() - record[1];
            } else if (!begun) {
                begun = clock_ns();
            }
            wrong += sum_of(record, width) != 0;
            accepted++;
            seq++;
        } else if (code == EARLY) {
            wait_for(bus, seq, width);
        } else {
            word seen = atomic_load_explicit(slot_of(bus, seq, width), memory_order_acquire);
            word newest = atomic_load_explicit(bus + H_HEAD, memory_order_acquire) - 1;
            if (newest - seen <= 0) newest = seen;
            result[LOST] += newest - seq;
            seq = newest;
        }
    }
    result[ELAPSED] = clock_ns() - begun;
    result[ACCEPTED] = accepted;
    result[WRONG] = wrong;
}

// One record there, one back: half the round trip, closed loop.
INLINE void ping_pong(shared *mine, shared *theirs, int starts, const word width) {
    const word(*row)[width] = (void *)rows;
    word record[width] __attribute__((aligned(64)));
    for (word seq = job.first; seq < job.first + job.count; seq++) {
        word begun = clock_ns();
        if (starts) publish(mine, seq, begun, row[0], width);
        while (read_record(theirs, seq, record, width) != OK) wait_for(theirs, seq, width);
        if (!starts) publish(mine, seq, begun, row[0], width);
        result[RESULT_WORDS + result[ACCEPTED]++] = (clock_ns() - begun) / 2;
        result[WRONG] += sum_of(record, width) != 0;
    }
}

// The least a wake can be: a stamp, a word, a system call on each side. Each turn has a stamp of its own, so that
// one that comes late is counted late.
static void bare_wake(shared *bus) {
    word due_ns = clock_ns() + BEFORE_NS;
    for (word turn = 0; turn < job.count; turn++, due_ns += job.step_ns) {
        while (clock_ns() < due_ns) {}
        atomic_store_explicit(bus + RING_AT + turn, due_ns, memory_order_relaxed);
        atomic_store_explicit(ctl + CTL_WAKE, turn + 1, memory_order_release);
        syscall(SYS_futex, ctl + CTL_WAKE, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    result[ACCEPTED] = job.count;
}

static void bare_sleep(shared *bus) {
    word *samples = result + RESULT_WORDS;
    while (result[ACCEPTED] < job.count) {
        futex_wait(result[ACCEPTED], 0);
        word there = atomic_load_explicit(ctl + CTL_WAKE, memory_order_acquire);
        for (word turn = result[ACCEPTED]; turn < there; turn++)
            samples[turn] = clock_ns() - atomic_load_explicit(bus + RING_AT + turn, memory_order_relaxed);
        result[ACCEPTED] = there;
    }
}

static void *map(const char *path, int prot) {
    struct stat about;
    int file = open(path, prot & PROT_WRITE ? O_RDWR : O_RDONLY);
    if (file < 0 || fstat(file, &about)) {
        perror(path);
        exit(2);
    }
    void *at = mmap(NULL, (size_t)about.st_size, prot, MAP_SHARED | MAP_POPULATE, file, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return at;
}

INLINE void run(int role, shared *bus, shared *second, const word width) {
    if (role == WRITE) write_all(bus, width);
    if (role == READ) read_all(bus, width);
    if (role == PING) ping_pong(bus, second, 1, width);
    if (role == PONG) ping_pong(bus, second, 0, width);
}

int main(int argc, char **argv) {
    if (argc < 16) return 2;
    int role = atoi(argv[1]);
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(atoi(argv[2]), &cores);
    if (sched_setaffinity(0, sizeof cores, &cores)) perror("sched_setaffinity");
    word *fields = (word *)&job;
    for (int at = 0; at < 10; at++) fields[at] = atoll(argv[6 + at]);
    int writes = role == WRITE || role == PING || role == PONG || role == WAKE;
    shared *bus = map(argv[3], writes ? PROT_READ | PROT_WRITE : PROT_READ);
    shared *second = argc > 16 ? map(argv[16], PROT_READ) : NULL;
    ctl = map(argv[4], PROT_READ | PROT_WRITE);
    result = map(argv[5], PROT_READ | PROT_WRITE);
    size_t table = (size_t)(ROWS * job.width * 8);
    rows = aligned_alloc(64, (table + 63) / 64 * 64);
    memcpy(rows, (const void *)(bus + RING_AT + job.slots * job.width), table);
    if (writes && role != PONG) {
        for (word who = 0; who < job.readers; who++)
            while (!atomic_load_explicit(ctl + CTL_READY + 8 * who, memory_order_acquire)) usleep(200);
        usleep(2000);
    } else {
        atomic_store_explicit(ctl + CTL_READY + 8 * job.who, 1, memory_order_release);
    }
    if (role == WAKE) bare_wake(bus);
    if (role == SLEEP) bare_sleep(bus);
    if (job.width == 8) run(role, bus, second, 8);
    else if (job.width == 96) run(role, bus, second, 96);
    else run(role, bus, second, job.width);
    return result[WRONG] ? 1 : 0;
}
