#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`lido validate`: every row is there, and every row can fail.

Each row is spoilt on purpose (--break) and must then fail while no other row changes. Rows whose verdict
depends on time are held to the first half of that only: how busy the machine is decides the rest.
"""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

COMMAND = os.environ.get("LIDO", "build/dev/lido")
CHECKS = ["basics", "efficiency", "fragmentation", "trigger", "intensive"]
VERDICTS = {"pass", "fail", "not measured"}
# Properties that hold since the first version of the block pool, on any machine, under any sanitizer.
HOLD = {"basics", "efficiency", "fragmentation", "intensive", "A1-fixed", "A4-exact", "A5-twice", "A5-foreign",
        "A5-index", "A7-equal", "A9-checks", "A10-simulation", "C4-world", "C4-reuse", "C4-handles",
        "B2-sizing", "B5-budget", "C2-leaks", "C3-return", "C14-million", "B1-kept", "B1-sessions", "B4-bounded",
        "B4-exact"}
PEERS = {"A2-peers", "A8-merge", "B1-peers", "B4-peers"}
FEW_PROCESSORS = {8: {"B7-scaling"}, 2: {"B7-private", "B7-affinity"}}


def run(*arguments, **options):
    return subprocess.run(
        [COMMAND, "validate", *arguments], capture_output=True, text=True, timeout=500, check=False, **options
    )


def report(*arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "report.json")
        done = run("--json", str(path), *arguments)
        assert done.stderr == "", done.stderr
        return done, json.loads(path.read_text())


class Validate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.markdown = pathlib.Path(cls.folder.name, "report.md")
        cls.done, cls.report = report("--markdown", str(cls.markdown))
        cls.rows = {row["id"]: row for row in cls.report["rows"]}
        cls.breakable = [row["id"] for row in cls.report["rows"]
                         if not re.search(rf"^{row['id']} .*\n(?: {14}\S.*\n)? +--break: nothing", run("--list").stdout, re.M)]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_requirement_has_a_row_and_the_checks_come_first(self):
        ids = [row["id"] for row in self.report["rows"]]
        self.assertEqual(ids[:5], CHECKS)
        self.assertEqual(len(ids), len(set(ids)))
        named = {name for row in self.rows.values() for name in row["requirement"].split()}
        self.assertEqual(named, {f"A{n}" for n in range(1, 11)}
                         | {"B1", "B2", "B3", "B4", "B5", "B7", "C1", "C2", "C3", "C4", "C13", "C14"})

    def test_json_has_its_schema(self):
        r = self.report
        self.assertEqual(set(r), {"lido", "started", "wall_s", "machine", "passed", "failed", "not_measured", "rows"})
        self.assertEqual(set(r["machine"]), {"cores", "system", "page_bytes", "sanitizer"})
        self.assertRegex(r["started"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        for row in r["rows"]:
            self.assertEqual(set(row), {"id", "requirement", "what", "target", "measured", "verdict", "reason",
                                        "timed", "broken"})
            self.assertIn(row["verdict"], VERDICTS)
            self.assertTrue(row["what"] and row["target"])
            self.assertEqual(row["reason"] is None, row["verdict"] == "pass", row)
            if row["verdict"] == "pass":
                self.assertTrue(row["measured"])
        for key, verdict in (("passed", "pass"), ("failed", "fail"), ("not_measured", "not measured")):
            self.assertEqual(r[key], sum(row["verdict"] == verdict for row in r["rows"]))

    def test_exit_status_says_whether_a_row_failed(self):
        self.assertEqual(self.done.returncode, 1 if self.report["failed"] else 0)
        self.assertEqual(run("--only", "basics", "--only", "A4-exact").returncode, 0)
        self.assertEqual(run("--only", "basics", "--break", "basics").returncode, 1)

    def test_what_must_hold_holds(self):
        self.assertEqual({name: self.rows[name]["verdict"] for name in HOLD}, dict.fromkeys(HOLD, "pass"))

    def test_rows_are_measured(self):
        absent = set(PEERS)
        if self.report["machine"]["sanitizer"]:
            absent |= {"A7-matrix", "A7-particles", "C4-ticks", "B7-private", "B7-scaling"}
        for least, rows in FEW_PROCESSORS.items():
            absent |= rows if len(os.sched_getaffinity(0)) < least else set()
        self.assertEqual({name for name, row in self.rows.items() if row["verdict"] == "not measured"}, absent)

    def spoil(self, names):
        """Spoils some rows together: exactly these change."""
        _, spoilt = report(*(word for name in names for word in ("--break", name)))
        for row in spoilt["rows"]:
            before = self.rows[row["id"]]
            with self.subTest(row=row["id"], measured=row["measured"], before=before["measured"]):
                if row["id"] in names and before["verdict"] == "not measured":
                    self.assertEqual(row["verdict"], "not measured")
                elif row["id"] in names:
                    self.assertEqual(row["verdict"], "fail")
                    self.assertTrue(row["broken"])
                    if row["id"] in HOLD:
                        self.assertEqual(row["reason"], "broken on purpose")
                elif row["id"] == "efficiency" and "A9-checks" in names:
                    self.assertEqual(row["verdict"], "not measured")
                elif not before["timed"]:
                    self.assertEqual(row["verdict"], before["verdict"])

    def halves(self):
        """Of the rows that can be broken; without its checks, A9-checks leaves nothing to measure in efficiency."""
        rest = [name for name in self.breakable if name not in ("efficiency", "A9-checks")]
        return rest[0::2] + ["efficiency"], rest[1::2] + ["A9-checks"]

    def test_each_row_of_the_first_half_can_be_broken_alone(self):
        self.spoil(self.halves()[0])

    def test_each_row_of_the_second_half_can_be_broken_alone(self):
        self.spoil(self.halves()[1])

    def test_only_rows_for_others_cannot_be_broken(self):
        self.assertEqual(set(self.rows) - set(self.breakable), PEERS)
        for name in PEERS:
            self.assertEqual(self.rows[name]["verdict"], "not measured")

    def test_markdown_is_one_table_of_all_rows(self):
        lines = [line for line in self.markdown.read_text().splitlines() if line.startswith("|")]
        self.assertEqual(len(lines), 2 + len(self.rows))
        self.assertEqual({len(re.split(r"(?<!\\)\|", line)) for line in lines}, {8})
        for line in lines[2:]:
            row = self.rows[line.split("|")[1].strip()]
            self.assertIn(row["target"], line)
            self.assertIn(f"| {row['verdict']}", line)

    def test_terminal_report_names_every_row_and_has_no_colour_in_a_file(self):
        for name, row in self.rows.items():
            self.assertRegex(self.done.stdout, rf"(?m)^{row['verdict']} +{name} ")
        self.assertNotIn("\033", self.done.stdout)
        self.assertRegex(self.done.stdout, rf"\n{self.report['passed']} passed, {self.report['failed']} failed, ")

    def test_page_names_every_row_that_can_be_broken(self):
        page = pathlib.Path(__file__).parents[2].joinpath("docs/validate.md").read_text()
        for name in self.rows:
            self.assertIn(f"`{name}`", page)

    def test_lack_of_memory_fails_the_row_and_not_the_command(self):
        if self.report["machine"]["sanitizer"]:
            self.skipTest("a sanitizer needs terabytes of address space")
        done = subprocess.run(["sh", "-c", 'ulimit -v 60000; exec "$0" validate --only A1-gives-back', COMMAND],
                              capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, "(?m)^fail +A1-gives-back")
        self.assertRegex(done.stdout, "because +block [0-9]+: .*memory")

    def test_wrong_usage_is_refused_by_name(self):
        for arguments, says in ((["--only", "A99"], "A99"), (["--break", "A2-peers"], "A2-peers"), (["rows"], "rows"),
                                (["--no-such"], "usage:"), (["--json"], "usage:")):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(says, done.stderr)

    def test_a_file_that_cannot_be_written_is_refused_before_the_work(self):
        for option in ("--json", "--markdown"):
            done = run("--only", "A5-twice", option, "/nowhere/at/all")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"{option} is '/nowhere/at/all', which cannot be written (No such file", done.stderr)


if __name__ == "__main__":
    unittest.main()
