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


if __name__ == "__main__":
    unittest.main()
