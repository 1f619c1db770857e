#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The fast paths as machine code, at the flags that are released: on the way from entry to return
nothing is called and nothing is locked, and a pair of calls costs no more instructions than
tests/baseline/instructions.json says. `--accept` writes what is measured there.

Wants gcc on x86-64 and objdump; the counts also valgrind and the compiler of the baseline."""
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASELINE = ROOT / "tests/baseline/instructions.json"
CC = os.environ.get("CC", "cc")
FLAGS = "-std=c11 -O2 -g -DNDEBUG -D_GNU_SOURCE -pthread -fvisibility=hidden -fexceptions -fno-semantic-interposition".split()
TOLERANCE = 0.03  # the compiler is the same, so this is for its patch releases
PAIRS = 20000
FAST = ["lido_block_pool_acquire", "lido_block_pool_release_at", "lido_object_pool_acquire_at", "lido_object_pool_release_at"]
PROGRAM = r"""
#include <lido/block_pool.h>
#include <lido/object_pool.h>
#include <stdlib.h>
static int create(void *context, void **object) { *object = context; return 0; }
int main(int count, char **words) {
    static char thing;
    uint64_t pairs = strtoull(words[2], NULL, 10);
    lido_block_pool *blocks;
    lido_object_pool *objects;
    lido_lease lease;
    if (count != 3 ||
        lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 64, .mode = LIDO_BLOCK_POOL_SLABS), &blocks) ||
        lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.object_limit = 64, .create = create, .context = &thing), &objects))
        return 1;
    for (uint64_t i = 0; words[1][0] == 'b' && i < pairs; i++) {
        uint64_t *block = lido_block_pool_acquire(blocks);
        *block = i;
        if (lido_block_pool_release(blocks, block)) return 1;
    }
    for (uint64_t i = 0; words[1][0] == 'o' && i < pairs; i++)
        if (lido_object_pool_acquire(objects, LIDO_FOREVER, &lease) || lido_object_pool_release(objects, &lease)) return 1;
    return 0;
}
"""


def run(*command, cwd=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def compiler():
    return run(CC, "--version").splitlines()[0].rsplit(" ", 1)[-1].split(".")[0]


def is_gcc():
    return "Free Software" in run(CC, "--version")


def build(folder):
    """The library once more, at release flags: shared, and the pools' files as the static one has them."""
    sources = sorted(ROOT.glob("src/*/*.c"))
    paths = [f"-I{ROOT / 'include'}", f"-I{ROOT / 'src'}"]
    run(CC, *FLAGS, *paths, "-fPIC", "-fno-plt", "-shared", "-Wl,-Bsymbolic-functions", "-o", folder / "liblido.so", *sources)
    run(CC, *FLAGS, *paths, "-fPIE", "-c", *(ROOT / f"src/{kind}/{kind}.c" for kind in ("block_pool", "object_pool")), cwd=folder)
    (folder / "pairs.c").write_text(PROGRAM)
    run(CC, *FLAGS, *paths, "-o", folder / "pairs", folder / "pairs.c", folder / "liblido.so", f"-Wl,-rpath,{folder}")


def function(file, name):
    """A function's instructions: address -> (mnemonic, operands), in order."""
    code = {}
    for line in run("objdump", "-d", "--no-show-raw-insn", f"--disassemble={name}", file).splitlines():
        found = re.match(r"\s+([0-9a-f]+):\t(.*)", line)
        if found and not found[2].startswith("nop"):
            words = found[2].split("#")[0].split(None, 1)
            code[int(found[1], 16)] = (words[0], words[1].strip() if len(words) > 1 else "")
    return code


def is_locked(mnemonic, operands):
    return mnemonic == "lock" or mnemonic.endswith("fence") or (mnemonic.startswith("xchg") and "(" in operands)


def ways_home(code):
    """The instructions from which there is a way to a return without a call, of those that the entry
    leads to in the same manner."""
    order = list(code)
    follow = {}
    for at, after in zip(order, order[1:] + [None]):
        mnemonic, operands = code[at]
        jump = re.match(r"([0-9a-f]+)\b", operands) if mnemonic.startswith("j") else None
        target = int(jump[1], 16) if jump else None
        next_ones = [] if mnemonic in ("ret", "jmp", "call", "ud2") else [after]
        follow[at] = [to for to in next_ones + [target] if to in code]
    seen, left = set(), order[:1]
    while left:
        at = left.pop()
        if at not in seen:
            seen.add(at)
            left += follow[at]
    home = {at for at in seen if code[at][0] == "ret"}
    while any(at not in home and home & set(follow[at]) for at in seen):
        home |= {at for at in seen if home & set(follow[at])}
    return home


def count(folder, kind, pairs):
    """Instructions in all, and the calls that fast paths made of their slow ones."""
    out = folder / "callgrind.out"
    text = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", str(folder / "pairs"), kind, str(pairs)],
                          capture_output=True, text=True, check=True).stderr
    inside, calls = "", 0
    names = {}
    for line in out.read_text().splitlines():
        named = re.match(r"c?fn=\((\d+)\)(?: (.*))?", line)
        if named:
            names.setdefault(named[1], named[2])
            if line.startswith("fn="):
                inside = names[named[1]]
        elif line.startswith("calls=") and inside in FAST:
            calls += int(line[6:].split()[0])
    return int(re.search(r"Collected\s*:\s*(\d+)", text)[1]), calls


class FastPaths(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if platform.machine() != "x86_64" or not shutil.which("objdump") or not is_gcc():
            raise unittest.SkipTest("wants gcc on x86-64, and objdump")
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        build(cls.folder)

    def check_function(self, file, name):
        code = function(self.folder / file, name)
        home = ways_home(code)
        self.assertTrue(home, f"{name} in {file}: no way from entry to return without a call")
        self.assertGreater(len(home), 15, f"{name} in {file}: the way home does no work")
        locked = [f"{at:x}: {' '.join(code[at])}" for at in sorted(home) if is_locked(*code[at])]
        self.assertEqual(locked, [], f"{name} in {file}")

    def test_shared_fast_paths_call_nothing_and_lock_nothing(self):
        for name in FAST:
            self.check_function("liblido.so", name)

    def test_static_fast_paths_call_nothing_and_lock_nothing(self):
        for name in FAST:
            self.check_function("block_pool.o" if "block" in name else "object_pool.o", name)

    def test_a_pair_costs_the_instructions_of_the_baseline(self):
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is missing")
        measured = {"compiler": f"gcc {compiler()}"}
        for kind in ("block_pool", "object_pool"):
            few, _ = count(self.folder, kind, PAIRS)
            many, calls = count(self.folder, kind, 2 * PAIRS)
            self.assertLess(calls, PAIRS // 10, f"{kind}: the fast path is not taken")
            measured[f"{kind} pair, with its loop"] = round((many - few) / PAIRS, 1)
        if "--accept" in sys.argv[1:]:
            BASELINE.write_text(json.dumps(measured, indent=4) + "\n")
        baseline = json.loads(BASELINE.read_text())
        if baseline["compiler"] != measured["compiler"]:
            self.skipTest(f"the baseline is of {baseline['compiler']}, this is {measured['compiler']}")
        for name, instructions in measured.items():
            if name != "compiler":
                self.assertLessEqual(instructions, baseline[name] * (1 + TOLERANCE), name)


if __name__ == "__main__":
    program = unittest.main(argv=[word for word in sys.argv if word != "--accept"], exit=False)
    everything_skipped = program.result.testsRun == 0 and program.result.skipped
    sys.exit(77 if everything_skipped else not program.result.wasSuccessful())
