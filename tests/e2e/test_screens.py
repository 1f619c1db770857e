#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What people read fits a terminal of 80 columns: every help text, and the report of every program. LIDO names the command."""
import os
import pathlib
import subprocess
import unittest

LIDO = os.environ["LIDO"]
CORPUS = pathlib.Path(__file__).resolve().parent / "corpus" / "tree"
HELPS = ([], ["run"], ["run", "inspect"], ["run", "swarm"], ["run", "arena"], ["bench"], ["validate"])
REPORTS = (
    ["run", "inspect", str(CORPUS), "--no-progress"],
    ["run", "inspect", str(CORPUS), "--no-progress", "--threads", "8", "--locks"],
    ["run", "swarm", "--iterations", "120", "--repeat", "2", "--no-progress"],
    ["run", "swarm", "--matrix", "--iterations", "101", "--repeat", "1", "--no-progress"],
    ["run", "arena", "--ticks", "700", "--repeat", "1", "--no-progress"],
    ["validate", "--list"],
    ["validate", "--only", "basics", "--only", "A2-peers"],
)


def read(*words):
    return subprocess.run([LIDO, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)


class Screens(unittest.TestCase):
    def fits(self, done):
        self.assertGreater(len(done.stdout.splitlines()), 3)
        self.assertEqual([line for line in done.stdout.splitlines() if len(line) > 80], [])
        self.assertNotRegex(done.stdout, r"\b1 (files|rounds|threads)\b")

    def test_help(self):
        for words in HELPS:
            with self.subTest(words):
                done = read(*words, "--help")
                self.assertEqual(done.returncode, 0)
                self.fits(done)

    def test_reports(self):
        for words in REPORTS:
            with self.subTest(words):
                self.fits(read(*words))


if __name__ == "__main__":
    unittest.main()
