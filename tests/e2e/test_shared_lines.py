#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No fast path of lido writes a cache line that another thread reads or writes.

A small program warms a capability up in two threads and then lets one thread work, and after it the
other, each between two marks that it stores. valgrind's lackey prints every load and store of the
process in order, so what lies between the marks of a thread is all that this thread touched, stack and
thread-local memory too, and nothing needs to be left out. The two sets of lines must not meet.

That the look is sharp, programs with a fault show: a counter for all, and two locks in one line.

Wants a built liblido.so (LIDO_BUILD), a C compiler and valgrind."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LIDO_BUILD", ROOT / "build/dev"))
CC = os.environ.get("CC", "cc")
LINE_BYTES = 64
# Every 64th acquire of an object advances the clock that all read, every 256th locking tells the lock's
# class: calls on purpose, not the fast path. What is looked at lies between them: a rwlock, locked twice
# in a use, is at number 228 behind the last one, an object at 114.
WARM_UP = 66
ROUNDS = 48
PROGRAM = r"""
#include <lido/lido.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 2, BURST = 8 };
struct line { _Alignas(128) volatile uint64_t begin, end; };
static struct line marks[THREADS];
static sem_t turn[THREADS];
static const char *kind;

static lido_block_pool *blocks;
static lido_object_pool *objects;
static lido_dense_pool *dense[THREADS];
static lido_ring *ring;
static struct { _Alignas(128) lido_mutex lock; } mutexes[THREADS];
static struct { _Alignas(128) lido_rwlock lock; } rwlocks[THREADS];
static _Alignas(128) uint64_t counter, counters[THREADS];

static void need(int status) {
    if (status == LIDO_OK) return;
    fprintf(stderr, "%s: %s\n", kind, lido_last_error());
    exit(1);
}
static int create(void *context, void **object) { (void)context; *object = aligned_alloc(128, 128); return 0; }

static void use_blocks(void) {
    void *held[BURST];
    for (int i = 0; i < BURST; i++) {
        held[i] = lido_block_pool_acquire(blocks);
        memset(held[i], i, 64);
    }
    for (int i = 0; i < BURST; i++) need(lido_block_pool_release(blocks, held[i]));
}
static void use_objects(void) {
    lido_lease held;
    need(lido_object_pool_acquire(objects, LIDO_FOREVER, &held));
    memset(held.object, 1, 128);
    need(lido_object_pool_release(objects, &held));
}
static void use_dense(lido_dense_pool *pool) {
    lido_dense_handle held[BURST];
    for (int i = 0; i < BURST; i++) memset(lido_dense_pool_acquire(pool, &held[i]), i, 24);
    for (int i = 0; i < BURST; i++) need(lido_dense_pool_release(pool, held[i]));
}
static void use_lock(lido_mutex *lock) {
    need(lido_mutex_lock(lock));
    need(lido_mutex_unlock(lock));
}
static void use_rwlock(lido_rwlock *lock) {
    need(lido_rwlock_read(lock, LIDO_FOREVER));
    need(lido_rwlock_unlock(lock));
    need(lido_rwlock_write(lock, LIDO_FOREVER));
    need(lido_rwlock_unlock(lock));
}
/* Thread 0 puts in and thread 1 takes out, half a ring apart: an item's own slot is the one line that
 * both must write. */
static void use_ring(int thread) {
    void *item;
    need(thread == 0 ? lido_ring_insert(ring, &ring, LIDO_FOREVER) : lido_ring_remove(ring, LIDO_FOREVER, &item));
}
static void use(int thread) {
    if (!strcmp(kind, "block_pool")) use_blocks();
    else if (!strcmp(kind, "object_pool")) use_objects();
    else if (!strcmp(kind, "dense_pool")) use_dense(dense[thread]);
    else if (!strcmp(kind, "mutex")) use_lock(&mutexes[thread].lock);
    else if (!strcmp(kind, "rwlock")) use_rwlock(&rwlocks[thread].lock);
    else if (!strcmp(kind, "ring")) use_ring(thread);
    else if (!strcmp(kind, "two counters")) { use_blocks(); counters[thread]++; }
    else if (!strcmp(kind, "one counter")) { use_blocks(); __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED); }
    else if (!strcmp(kind, "one mutex")) use_lock(&mutexes[0].lock);
    else exit(2);
}

/* Turn by turn, so that only one thread runs: first the warm-up, then what is looked at. */
static void *run(void *argument) {
    int thread = *(int *)argument;
    for (int stage = 0; stage < 2; stage++) {
        sem_wait(&turn[thread]);
        if (stage == 1) marks[thread].begin = 1;
        for (int i = 0; i < (stage == 0 ? WARM_UP : ROUNDS); i++) use(thread);
        if (stage == 1) marks[thread].end = 1;
        sem_post(&turn[1 - thread]);
    }
    return NULL;
}

int main(int count, char **words) {
    pthread_t threads[THREADS];
    int numbers[THREADS] = {0, 1};
    if (count != 2) return 2;
    kind = words[1];
    need(lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 64, .mode = LIDO_BLOCK_POOL_SLABS), &blocks));
    need(lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.object_limit = 64, .create = create), &objects));
    need(lido_ring_create(LIDO_RING_OPTIONS(.capacity = 1024), &ring));
    need(lido_object_pool_prepare(objects, 64));
    for (int i = 0; i < 512; i++) need(lido_ring_insert(ring, &ring, 0));
    for (int i = 0; i < THREADS; i++) {
        need(lido_dense_pool_create(LIDO_DENSE_POOL_OPTIONS(.object_bytes = 24), &dense[i]));
        if (sem_init(&turn[i], 0, i == 0)) return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        printf("%p %p\n", (void *)&marks[i].begin, (void *)&marks[i].end);
        if (pthread_create(&threads[i], NULL, run, &numbers[i])) return 1;
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    return 0;
}
"""


def build(folder):
    (folder / "lines.c").write_text(PROGRAM)
    subprocess.run([CC, "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-pthread", f"-DWARM_UP={WARM_UP}", f"-DROUNDS={ROUNDS}", f"-I{ROOT / 'include'}",
                    "-o", folder / "lines", folder / "lines.c", f"-L{BUILD}", "-llido", f"-Wl,-rpath,{BUILD}"], check=True)


class Touched:
    """What each thread wrote and read between its marks: line -> the first address."""

    def __init__(self, folder, kind):
        trace = folder / "trace"
        done = subprocess.run(["valgrind", "--tool=lackey", "--trace-mem=yes", "--basic-counts=no", f"--log-file={trace}",
                               str(folder / "lines"), kind], capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"{kind}: exit status {done.returncode}: {done.stderr}")
        self.written, self.read = ({}, {}), ({}, {})
        self.stores = [0, 0]
        begins, ends = {}, {}
        for thread, pair in enumerate(done.stdout.splitlines()):
            begin, end = (int(word, 16) for word in pair.split())
            begins[begin], ends[end] = thread, thread
        inside = None
        for mode, address, size in re.findall(r"^ ([LSM]) ([0-9a-f]+),(\d+)$", trace.read_text(), re.M):
            at = int(address, 16)
            if mode == "S" and at in begins:
                inside = begins[at]
            elif mode == "S" and at in ends:
                inside = None
            elif inside is not None:
                self.note(inside, mode, at, int(size))

    def note(self, thread, mode, at, size):
        self.stores[thread] += mode != "L"
        for line in range(at // LINE_BYTES, (at + size - 1) // LINE_BYTES + 1):
            for lines, touched in ((self.written, mode != "L"), (self.read, mode != "S")):
                if touched:
                    lines[thread].setdefault(line, at)

    def shared(self):
        """Lines that one thread wrote and the other touched."""
        met = {}
        for one, other in ((0, 1), (1, 0)):
            for lines, verb in ((self.written, "writes"), (self.read, "reads")):
                for line in self.written[one].keys() & lines[other].keys():
                    met.setdefault(line * LINE_BYTES, f"thread {one} writes {self.written[one][line]:x}, thread {other} {verb} {lines[other][line]:x}")
        return met


class SharedLines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("valgrind"):
            raise unittest.SkipTest("valgrind is missing")
        if not (BUILD / "liblido.so").exists():
            raise unittest.SkipTest(f"{BUILD / 'liblido.so'} was not built")
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        build(cls.folder)

    def look(self, kind):
        touched = Touched(self.folder, kind)
        for thread in (0, 1):
            self.assertGreater(touched.stores[thread], 3 * ROUNDS, f"{kind}: thread {thread} was not seen at work")
        return touched.shared()

    def test_no_line_is_written_by_one_thread_and_touched_by_another(self):
        for kind in ("block_pool", "object_pool", "dense_pool", "mutex", "rwlock", "ring"):
            with self.subTest(kind):
                self.assertEqual(self.look(kind), {})

    def test_a_counter_for_all_threads_is_seen(self):
        self.assertEqual(len(self.look("one counter")), 1)

    def test_two_counters_in_one_line_are_seen(self):
        self.assertEqual(len(self.look("two counters")), 1)

    def test_one_lock_for_all_is_seen(self):
        self.assertTrue(self.look("one mutex"))


if __name__ == "__main__":
    program = unittest.main(exit=False)
    everything_skipped = program.result.testsRun == 0 and program.result.skipped
    sys.exit(77 if everything_skipped else not program.result.wasSuccessful())
