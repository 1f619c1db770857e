#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds `lido run inspect` against corpus/expected.txt (written by hand) and against oracle.py (written apart).

Every finding is compared with its kind, key, locality and places, every place with its file, line, role and function.
The oracle needs the ast and the tokenizer of Python 3.11; under another version only the hand-written part runs, and the
exit status is 77: skipped, with the reason. LIDO_INSPECT_DIR in the environment names a further tree to compare on.
"""
import collections
import os
import shutil
import sys
import sysconfig
import tempfile
import unittest

import expected
import inspect_run
import oracle

ORACLE_VERSION = (3, 11)
CORPUS = os.path.join(inspect_run.HERE, "corpus")
figures = []

Excuse = collections.namedtuple("Excuse", "path kinds reason")

# What the two may differ in, on the standard library of Python 3.11: the file, the kinds of findings that its places may
# be missing from (or "file": read by one and refused by the other), and why. An excuse that excuses nothing is an error,
# unless its file is not there: Debian delivers the folder test in a package of its own.
EXCUSES = (
    Excuse("test/test_compile.py", ("file",) + inspect_run.KINDS, "inside brackets, a line left of its block behind a dot"),
    Excuse("test/test_future_stmt/badsyntax_future8.py", ("file",), "its grammar has no `from __future__ import *`"),
)


class Comparison:
    """Two sets of findings and what distinguishes them."""

    def __init__(self, ours, theirs, excuses=()):
        self.used = collections.Counter()
        self.excuses = excuses
        self.complaints = []
        only_ours = collections.Counter(ours) - collections.Counter(theirs)
        only_theirs = collections.Counter(theirs) - collections.Counter(ours)
        by_key = collections.defaultdict(lambda: ([], []))
        for side, findings in enumerate((only_ours, only_theirs)):
            for finding in findings.elements():
                by_key[finding.kind, finding.key][side].append(finding)
        for (kind, key), sides in sorted(by_key.items()):
            self.judge(kind, key, *sides)

    def judge(self, kind, key, ours, theirs):
        """A finding that is not the same on both sides is excused where excused files make the difference."""
        places = [collections.Counter(place for finding in side for place in finding.places) for side in (ours, theirs)]
        differing = (places[0] - places[1]) + (places[1] - places[0])
        guilty = [excuse for excuse in self.excuses
                  if kind in excuse.kinds and any(place[0] == excuse.path for place in differing)]
        paths = {excuse.path for excuse in guilty}
        if guilty and (not ours or not theirs or all(place[0] in paths for place in differing)):
            self.used.update(guilty)
            return
        self.complaints.append(f"{kind} {key!r}:\n      program {self.show(ours, differing)}\n"
                               f"      should be {self.show(theirs, differing)}")

    @staticmethod
    def show(findings, differing):
        shown = []
        for finding in findings:
            places = [place for place in finding.places if place in differing] or finding.places
            shown.append(f"{finding.locality} of {len(finding.places)}, here {places[:6]}")
        return "; ".join(shown) or "nothing"


def oracle_findings(result):
    return [inspect_run.Finding(f.kind, f.key, f.locality, tuple(sorted(
        (p.path, p.line, p.role, p.function_name or "") for p in f.places))) for f in result.findings]


def without_line(reason):
    return reason and ("syntax error at line N" if reason.startswith("syntax error at line ") else reason)


class CorpusCase(unittest.TestCase):
    """A copy of the corpus, with what a repository cannot hold added to it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="lido-inspect-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.root = os.path.join(cls.folder, "tree")
        shutil.copytree(os.path.join(CORPUS, "tree"), cls.root)
        os.symlink("shadow.py", os.path.join(cls.root, "link_to_file.py"))
        os.symlink("pkg", os.path.join(cls.root, "link_to_folder"))
        os.symlink("..", os.path.join(cls.root, "pkg", "loop"))
        os.symlink("nowhere", os.path.join(cls.root, "link_to_nothing.py"))
        os.mkfifo(os.path.join(cls.root, "failing", "fifo.py"))
        os.mkdir(os.path.join(cls.root, "pkg", "__pycache__"))
        shutil.copy(os.path.join(cls.root, "pkg", "alpha.py"), os.path.join(cls.root, "pkg", "__pycache__", "alpha.py"))
        cls.expected = expected.Expected(os.path.join(CORPUS, "expected.txt"), cls.root)

    def compare(self, label, findings, wanted, excuses=()):
        comparison = Comparison(findings, wanted, excuses)
        figures.append((label, len({p[0] for f in wanted for p in f.places}), len(wanted),
                        sum(len(f.places) for f in wanted), sum(comparison.used.values())))
        if comparison.complaints:
            self.fail(f"{len(comparison.complaints)} findings differ:\n    " + "\n    ".join(comparison.complaints[:40]))
        return comparison


class ByHand(CorpusCase):
    """The corpus against what was written down by hand."""

    def test_every_kind_and_role_is_in_the_expectations(self):
        seen = {(finding.kind, place[2]) for finding in self.expected.findings for place in finding.places}
        self.assertEqual(seen, {
            ("name", "definition"), ("name", "import"), ("type", "type"), ("meaning", "literal"),
            ("position", "definition"), ("position", "call"), ("position", "return"), ("position", "unpack"),
            ("algorithm", "function"), ("execution", "first"), ("execution", "second"), ("timing", "delay"),
            ("value", "constant"), ("value", "binding"), ("value", "global"), ("value", "default"),
            ("value", "identity")})

    @unittest.skipIf(sys.version_info[:2] != ORACLE_VERSION, "the oracle needs Python 3.11")
    def test_oracle(self):
        result = oracle.inspect(self.root)
        self.compare("corpus: oracle against hand", oracle_findings(result), self.expected.findings)
        failed = {path: without_line(reason) for path, (_, reason) in result.files.items() if reason}
        self.assertEqual(failed, self.expected.failed["oracle"])

    def test_program(self):
        done = inspect_run.run_into(self.folder, self.root)
        self.assertEqual(done.status, 0, done.err)
        self.compare("corpus: program against hand", done.findings, self.expected.findings)
        failed = {path: without_line(reason) for path, (_, reason) in done.files.items() if reason}
        self.assertEqual(failed, self.expected.failed["program"])


@unittest.skipIf(sys.version_info[:2] != ORACLE_VERSION, "the oracle needs Python 3.11")
class ByOracle(CorpusCase):
    """Trees for which nobody wrote anything down."""

    def hold_against_oracle(self, label, root, excuses=()):
        done = inspect_run.run_into(self.folder, root)
        self.assertEqual(done.status, 0, done.err)
        result = oracle.inspect(root)
        self.assertEqual(done.files.keys(), result.files.keys())
        differing = {}
        file_excuses = {excuse.path: excuse for excuse in excuses if "file" in excuse.kinds}
        used = set()
        for path, (size, reason) in result.files.items():
            mine = done.files[path]
            if (mine[0], without_line(mine[1])) == (size, without_line(reason)):
                continue
            if path in file_excuses and mine[0] == size:
                used.add(file_excuses[path])
            else:
                differing[path] = (mine, (size, reason))
        self.assertEqual(differing, {}, "files: (program, oracle)")
        comparison = self.compare(label, done.findings, oracle_findings(result), excuses)
        idle = [excuse for excuse in excuses
                if excuse.path in result.files and excuse not in used and excuse not in comparison.used]
        self.assertEqual(idle, [], "these excuses excuse nothing any more: remove them")
        return done, result

    def test_package_as_top_folder(self):
        """The folder given is a package itself: its name is part of every module's."""
        done, _ = self.hold_against_oracle("corpus/pkg as DIR", os.path.join(self.root, "pkg"))
        self.assertIn("pkg.alpha.Alpha", {finding.key for finding in done.findings if finding.kind == "name"})

    def test_standard_library(self):
        done, result = self.hold_against_oracle("standard library", sysconfig.get_path("stdlib"), EXCUSES)
        self.assertGreater(len(result.files), 500)
        for kind, count in result.counts().items():
            self.assertGreater(count, 0, kind)
        self.assertEqual(done.report["files"], len(result.files))

    if "LIDO_INSPECT_DIR" in os.environ:
        def test_tree_of_the_environment(self):
            self.hold_against_oracle("LIDO_INSPECT_DIR", os.environ["LIDO_INSPECT_DIR"])


def main():
    program = unittest.main(exit=False, verbosity=1)
    for test, reason in program.result.skipped:
        print(f"skipped: {test}: {reason}")
    for label, files, findings, places, excused in figures:
        print(f"{label}: {findings} findings and {places} places in {files} files compared, {excused} excused")
    if not program.result.wasSuccessful() or any(not places for _, _, _, places, _ in figures):
        return 1
    if sys.version_info[:2] != ORACLE_VERSION:
        print(f"skipped: the oracle needs Python 3.11, this is {sys.version.split()[0]}")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
