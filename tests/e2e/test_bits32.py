#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library with 32-bit addresses: all of src/ compiles without a warning, and the block pool's unit
tests pass. Skipped where the compiler has no 32-bit half (Debian: gcc-multilib).

For aarch64 and for s390x, whose bytes are the other way round, src/ is read by clang where their headers
are (Debian: libc6-dev-arm64-cross, libc6-dev-s390x-cross): what does not compile there is found here."""
import concurrent.futures
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").glob("*/*.c"))
STRICT = "-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror".split()
INCLUDE = ["-I", ROOT / "include", "-I", ROOT / "src"]
# The kernel's headers, where only gcc-N-multilib is installed, which does not link them.
BITS32 = ["gcc", "-m32", "-Wno-psabi", "-idirafter", f"/usr/include/{platform.machine()}-linux-gnu", "-pthread"]
TESTS = ["test_block_pool", "test_block_pool_life", "test_block_pool_model", "test_block_pool_peak",
         "test_block_pool_row"]


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def run_all(commands):
    """Side by side; the output of those that failed."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [output for status, output in pool.map(run, commands) if status != 0]


def has_bits32(folder):
    program = pathlib.Path(folder, "probe.c")
    program.write_text("#include <errno.h>\n#include <pthread.h>\nint main(void) { return sizeof(void *) != 4; }\n")
    out = program.with_suffix("")
    return shutil.which("gcc") and run([*BITS32, program, "-o", out])[0] == 0 and run([out])[0] == 0


class Bits32(unittest.TestCase):
    def test_block_pools_unit_tests_pass(self):
        with tempfile.TemporaryDirectory() as folder:
            if not has_bits32(folder):
                self.skipTest("gcc -m32 makes no program here: install gcc-multilib")
            objects = {source: pathlib.Path(folder, f"{source.parent.name}_{source.stem}.o") for source in SOURCES}
            wrong = run_all([[*BITS32, "-O1", *STRICT, *INCLUDE, "-c", source, "-o", out]
                             for source, out in objects.items()])
            self.assertEqual(wrong, [])
            programs = [pathlib.Path(folder, name) for name in TESTS]
            wrong = run_all([[*BITS32, "-O1", *STRICT, *INCLUDE, "-I", ROOT / "tests/bits32", "-I", ROOT / "tests",
                              ROOT / f"tests/unit/{program.name}.c", *objects.values(), "-o", program, "-lm"]
                             for program in programs])
            self.assertEqual(wrong, [])
            for program in programs:
                status, output = run([program])
                self.assertEqual(status, 0, output)
                self.assertIn("passed", output)

    def read_for(self, machine, folder):
        if not shutil.which("clang") or not pathlib.Path(folder).is_dir():
            self.skipTest(f"no clang, or no headers for {machine} in {folder}")
        self.assertEqual(run_all([["clang", f"--target={machine}", "-isystem", folder, "-fsyntax-only", *STRICT,
                                   *INCLUDE, source] for source in SOURCES]), [])

    def test_aarch64_compiles(self):
        self.read_for("aarch64-linux-gnu", "/usr/aarch64-linux-gnu/include")

    def test_s390x_compiles(self):
        self.read_for("s390x-linux-gnu", "/usr/s390x-linux-gnu/include")


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    skipped = len(result.skipped)
    sys.exit(1 if not result.wasSuccessful() else 77 if skipped == result.testsRun else 0)
