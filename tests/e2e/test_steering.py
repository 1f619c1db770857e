#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/steering.md is what the library's own tables say. LIDO names the command."""
import os
import pathlib
import subprocess
import unittest

LIDO = os.environ.get("LIDO", "build/dev/lido")


class Steering(unittest.TestCase):
    def test_the_page_is_made_from_the_tables_of_this_build(self):
        if not pathlib.Path(LIDO).exists():
            self.skipTest("the lido command was not built")
        made = subprocess.run([LIDO, "panels"], capture_output=True, text=True, timeout=60, check=True)
        kept = pathlib.Path("docs/steering.md").read_text(encoding="utf-8")
        self.assertEqual(made.stdout, kept, "docs/steering.md is stale: run scripts/gen_steering")
        for kind in ("block_pool", "budget", "dense_pool", "mutex", "object_pool", "ring"):
            self.assertIn(f"\n## {kind}\n", kept)

    def test_help_is_no_error_and_a_word_too_many_is(self):
        if not pathlib.Path(LIDO).exists():
            self.skipTest("the lido command was not built")
        for word, status, stream in (("--help", 0, "stdout"), ("--json", 2, "stderr")):
            done = subprocess.run([LIDO, "panels", word], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, status)
            self.assertIn("usage: lido panels", getattr(done, stream))
            self.assertEqual("'--json' is not known" in done.stderr, word == "--json")


if __name__ == "__main__":
    unittest.main()
