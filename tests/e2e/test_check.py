#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/check.py can fail: each violation is planted in a copy of the library, in a file of its own, and
must be named with its file, line, rule and way out. The copy itself passes, so nothing is found by chance."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LICENCE = "/* SPDX-License-Identifier: MIT */\n"
SLASH = "/"  # paths and marks are put together here, so that this file passes the check itself


def run_check(root, *options):
    run = subprocess.run([sys.executable, str(root / "scripts/check.py"), *options],
                         capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


class CheckTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.copy = pathlib.Path(cls.folder.name) / "lido"
        listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard",
                                 "include", "src", "scripts", "CHANGELOG.md"],
                                capture_output=True, text=True, check=True).stdout
        for path in filter(None, listed.split("\0")):
            if (ROOT / path).is_file():
                (cls.copy / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, cls.copy / path)
        subprocess.run(["git", "init", "-q", str(cls.copy)], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.planted = []

    def test_the_library_itself_passes(self):
        status, output = run_check(self.copy)
        self.assertEqual(status, 0, output)

    def plant(self, path, text, line, *words):
        """Remembers one violation: a file of its own, the line it is on, and words of the message."""
        stem, dot, suffix = path.rpartition(".")
        self.planted.append((f"{stem}_{len(self.planted)}{dot}{suffix}", text, line, words))

    def tearDown(self):
        """Checks all violations of a test in one run; each must be named, and nothing else in its file's line."""
        if not self.planted:
            return
        for path, text, _, _ in self.planted:
            (self.copy / path).parent.mkdir(parents=True, exist_ok=True)
            (self.copy / path).write_text(text)
        try:
            status, output = run_check(self.copy)
        finally:
            for path, *_ in self.planted:
                (self.copy / path).unlink()
        self.assertEqual(status, 1, output)
        for path, text, line, words in self.planted:
            named = [message for message in output.splitlines() if message.startswith(f"{path}:{line}:")]
            with self.subTest(path=path, text=text):
                self.assertTrue(named, f"no message about {path}:{line}:\n{text}\n{output}")
                self.assertTrue(any(all(word in message for word in words) for message in named), f"{words} not in {named}")
                self.assertTrue(all(";" in message for message in named), f"no way out in {named}")

    def test_layers_point_down(self):
        self.plant("src/base/planted.c", LICENCE + '#include "registry/registry.h"\n', 2, "layers", "base", "registry")
        self.plant("src/registry/planted.c", LICENCE + "#include <lido/block_pool.h>\n", 2, "layers", "block_pool")
        self.plant("src/block_pool/planted.c", LICENCE + "#include <lido/object_pool.h>\n", 2, "layers", "object_pool")
        self.plant("src/lease/planted.c", LICENCE + '#include "object_pool/x.h"\n', 2, "layers", "object_pool")
        self.plant("src/monitor/planted.c", LICENCE + "#include <lido/block_pool.h>\n", 2, "layers", "monitor")
        self.plant("src/cache/planted.c", LICENCE + "#include <lido/lido.h>\n", 2, "layers", "lido.h")
        self.plant("include/lido/planted.h", LICENCE + "#include <lido/object_pool.h>\n", 2, "layers")

    def test_programs_see_public_headers_only(self):
        for path in ("tools/lido/planted.c", "workloads/planted/planted.c", "bench/bench_planted.c", "examples/planted.c"):
            self.plant(path, LICENCE + '\n#include "base/atomic.h"\n', 3, "layers", "base/atomic.h")
        self.plant("tools/lido/planted.c", LICENCE + '#include "../../src/base/atomic.h"\n', 2, "layers")
        self.plant("examples/planted.c", LICENCE + '#include "lido/base.h"\n', 2, "quotes")

    def test_public_names(self):
        header = LICENCE + "#include <lido/base.h>\n"
        self.plant("include/lido/planted.h", header + "LIDO_API int planted_go(void);\n", 3, "public names", "planted_go")
        self.plant("include/lido/planted.h", header + "LIDO_API int lido__go(void);\n", 3, "public names", "lido__go")
        self.plant("include/lido/planted.h", header + "int lido_planted_go(void);\n", 3, "LIDO_API")
        self.plant("include/lido/planted.h", header + "#define PLANTED 1\n", 3, "PLANTED")
        self.plant("include/lido/planted.h", header + "typedef struct planted planted;\n", 3, "planted")
        self.plant("include/lido/planted.h", header + "enum {\n    LIDO_A,\n    B,\n};\n", 5, "public names: B")

    def test_banned_calls(self):
        for call in ("strcpy(a, b)", "strcat(a, b)", "sprintf(a, b)", "vsprintf(a, b)", "gets(a)", "atoi(a)", "atol(a)",
                     "alloca(9)", "rand()", "system(a)", "signal(2, a)", "strtok(a, b)"):
            text = LICENCE + "void planted(void);\nvoid planted(void) {\n    " + call + ";\n}\n"
            self.plant("tools/lido/planted.c", text, 4, "banned call", call.split("(")[0])
        self.plant("src/base/planted.c", LICENCE + "static volatile int planted;\n", 2, "volatile")

    def test_calls_in_comments_strings_and_members_are_none(self):
        text = LICENCE + ('/* strcpy(a, b) is not called, nor malloc(9). */\nvoid lido__planted(struct x *x);\n'
                          'void lido__planted(struct x *x) {\n    x->system(x);\n    x->calls.free("rand()");\n}\n')
        (self.copy / "src/base/innocent.c").write_text(text)
        try:
            _, output = run_check(self.copy)
        finally:
            (self.copy / "src/base/innocent.c").unlink()
        self.assertNotIn("innocent.c", output)

    def test_atomics_and_system_calls_have_one_home(self):
        self.plant("src/registry/planted.c", LICENCE + "#include <stdatomic.h>\n", 2, "atomics", "stdatomic.h")
        for call in ("malloc(9)", "free(p)", "mmap(0, 9, 0, 0, 0, 0)", "clock_gettime(0, p)", "syscall(1)"):
            text = LICENCE + "\nvoid lido__planted(void *p) {\n    " + call + ";\n}\n"
            self.plant("src/block_pool/planted.c", text, 4, "system call", call.split("(")[0], "sys.c")

    def test_sizes(self):
        body = "void planted(void);\nvoid planted(void) {\n" + "    ;\n" * 59 + "}\n"
        self.plant("tools/lido/planted.c", LICENCE + body, 3, "size", "61 lines")
        self.plant("src/base/planted.c", LICENCE + "\n" * 800, 801, "size", "801 lines")
        self.plant("include/lido/planted.h", LICENCE + "\n" * 300, 301, "size", "public header")

    def test_text(self):
        self.plant("src/base/planted.c", "int planted;\n", 1, "SPDX")
        self.plant("docs/planted.md", "one\nsee " + SLASH + "root/x\n", 2, "machine path")
        self.plant("docs/planted.md", "in " + SLASH + "home/me/lido\n", 1, "machine path")
        self.plant("docs/planted.md", "in " + SLASH + "work/main\n", 1, "machine path")
        self.plant("docs/planted.md", "get https://registry." + "npmjs.org/x\n", 1, "registry address")
        self.plant("docs/planted.md", "TO" + "DO later\n", 1, "open end")
        self.plant("docs/planted.md", "FIX" + "ME\n", 1, "open end")

    def test_headers_stand_alone(self):
        header = LICENCE + "#ifndef LIDO_PLANTED_H\n#define LIDO_PLANTED_H\n"
        self.plant("include/lido/planted.h", header + "LIDO_API int lido_planted(size_t n);\n#endif\n", 1, "headers")
        only_c = "#include <lido/base.h>\n#ifdef __cplusplus\n#error planted\n#endif\n#endif\n"
        self.plant("include/lido/planted.h", header + only_c, 1, "headers", "c++17")

    def test_version_is_told_in_the_changelog(self):
        log = self.copy / "CHANGELOG.md"
        before = log.read_text()
        log.write_text(before.replace("\n## ", "\n## 99.", 1))
        try:
            status, output = run_check(self.copy)
        finally:
            log.write_text(before)
        self.assertEqual(status, 1, output)
        self.assertRegex(output, r"CHANGELOG\.md:\d+: version")

    def test_exports_are_the_headers(self):
        source = self.copy.parent / "planted.c"
        source.write_text("int lido_version(void) { return 0; }\nint planted(void) { return 0; }\n")
        library = self.copy.parent / "planted.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        status, output = run_check(self.copy, "--library", str(library))
        self.assertEqual(status, 1, output)
        self.assertIn("exports: planted is exported", output)
        self.assertRegex(output, r"include/lido/base\.h:\d+: exports: lido_now_ns is declared")
        self.assertNotIn("lido_version", output)


if __name__ == "__main__":
    unittest.main()
