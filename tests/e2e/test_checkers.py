#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A block used after its release is seen by AddressSanitizer and by Valgrind, without a word to lido.

Under either, a pool of the default mode passes each block through to malloc. The same program is built once
as it is, where nothing may be said and slabs serve, and once with -fsanitize=address.

Wants a built liblido.so (LIDO_BUILD) without a sanitizer, and gcc or clang; the one half also valgrind."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LIDO_BUILD") or ROOT / "build" / "release").resolve()
CC = os.environ.get("CC") or "cc"

PROGRAM = r"""
#include <lido/block_pool.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **words) {
    lido_block_pool *pool;
    char *block, *next;
    if (lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 100), &pool)) return 2;
    block = lido_block_pool_acquire(pool);
    next = lido_block_pool_acquire(pool);
    if (!block || !next) return 3;
    memset(block, 1, 100);
    if (count > 1 && !strcmp(words[1], "beyond")) ((char volatile *)block)[100] = 1;
    if (lido_block_pool_release(pool, block)) return 4;
    if (count > 1 && !strcmp(words[1], "late")) ((char volatile *)block)[50] = 2;
    if (lido_block_pool_release(pool, next)) return 5;
    return lido_block_pool_destroy(pool) ? 6 : 0;
}
"""


class Checkers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (BUILD / "liblido.so").exists():
            raise unittest.SkipTest(f"{BUILD / 'liblido.so'} was not built")
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        (cls.folder / "use.c").write_text(PROGRAM)
        cls.environment = {name: value for name, value in os.environ.items() if name != "LIDO_BLOCK_POOL_MODE"}

    def build(self, name, *flags):
        subprocess.run([CC, "-std=c11", "-O1", "-gdwarf-4", *flags, f"-I{ROOT / 'include'}", "-o", self.folder / name,
                        self.folder / "use.c", f"-L{BUILD}", "-llido", f"-Wl,-rpath,{BUILD}"], check=True)
        return str(self.folder / name)

    def outcome(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=self.environment)
        return done.returncode, done.stderr

    def test_alone_the_program_runs_to_its_end(self):
        program = self.build("plain")
        for words in ([], ["late"], ["beyond"]):
            self.assertEqual(self.outcome(program, *words), (0, ""))

    def test_valgrind_sees_it(self):
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is missing")
        program = self.build("plain")
        checked = ["valgrind", "-q", "--error-exitcode=99", program]
        self.assertEqual(self.outcome(*checked), (0, ""))
        for word, where in (("late", "inside a block of size 100 free'd"), ("beyond", "after a block of size 100 alloc'd")):
            status, said = self.outcome(*checked, word)
            self.assertEqual(status, 99, said)
            self.assertIn("Invalid write of size 1", said)
            self.assertIn(where, said)

    def test_address_sanitizer_sees_it(self):
        program = self.build("sanitized", "-fsanitize=address")
        self.assertEqual(self.outcome(program), (0, ""))
        for word, kind in (("late", "heap-use-after-free"), ("beyond", "heap-buffer-overflow")):
            status, said = self.outcome(program, word)
            self.assertNotEqual(status, 0)
            self.assertIn(kind, said)


if __name__ == "__main__":
    program = unittest.main(exit=False)
    everything_skipped = program.result.testsRun == 0 and program.result.skipped
    sys.exit(77 if everything_skipped else not program.result.wasSuccessful())
