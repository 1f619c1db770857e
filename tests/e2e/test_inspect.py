#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How `lido run inspect` behaves: whatever lies in its way, whatever it is asked, and when it is interrupted.

What it finds is the matter of test_inspect_oracle.py; here findings are only held against each other.
"""
import ctypes
import errno
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import time
import unittest

import inspect_run

CORPUS = os.path.join(inspect_run.HERE, "corpus", "tree")
PACKAGES = ("asyncio", "concurrent", "email", "html", "http", "importlib", "json", "logging", "multiprocessing",
            "unittest", "xml")
NOBODY = 65534
figures = {"runs": 0, "findings compared": 0}


class InspectCase(unittest.TestCase):
    """A folder for each test, and the calls that all of them need."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lido-inspect-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.root = os.path.join(self.folder, "tree")
        os.mkdir(self.root)

    def write(self, name, data=b"x = 1\n"):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(data)
        return path

    def inspect(self, *arguments, root=None, status=0, **more):
        figures["runs"] += 1
        done = inspect_run.run_into(self.folder, root or self.root, *arguments, **more)
        self.assertEqual(done.status, status, done.err)
        return done

    def start(self, *arguments, **more):
        figures["runs"] += 1
        process = subprocess.Popen(
            [inspect_run.command(), "run", "inspect", self.root, "--db", os.path.join(self.folder, "inspect.db"),
             "--json", os.path.join(self.folder, "inspect.json"), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        self.addCleanup(end, process)
        return process

    def same(self, one, other):
        self.assertEqual(one.files, other.files)
        self.assertEqual(sorted(one.findings), sorted(other.findings))
        figures["findings compared"] += len(one.findings)

    def refused(self, *arguments, status=2, **more):
        """Runs with arguments that must be refused; returns the one line that says why."""
        figures["runs"] += 1
        done = inspect_run.run(*arguments, **more)
        self.assertEqual(done.returncode, status, (done.stdout, done.stderr))
        self.assertNotEqual(done.stderr.strip(), "")
        return done.stderr


def stored(database):
    """Whether a run has written its files."""
    try:
        return len(inspect_run.read_database(database)[0]) > 0
    except sqlite3.Error:
        return False


class SameFindings(InspectCase):
    """What was asked for does not depend on how the work was done."""

    def test_block_pools_under_the_parser_change_no_finding(self):
        corpus = os.path.join(inspect_run.HERE, "corpus")
        pooled, plain = self.inspect(root=corpus), self.inspect("--plain-malloc", root=corpus)
        self.assertGreater(len(pooled.findings), 20)
        self.same(pooled, plain)
        self.assertGreater(pooled.report["allocations"]["served"], 10000)
        self.assertEqual(plain.report["allocations"]["served"], 0)

    @classmethod
    def setUpClass(cls):
        cls.tree = tempfile.mkdtemp(prefix="lido-inspect-tree-")
        cls.addClassCleanup(shutil.rmtree, cls.tree)
        shutil.copytree(CORPUS, os.path.join(cls.tree, "corpus"))
        library = sysconfig.get_path("stdlib")
        for package in PACKAGES:
            shutil.copytree(os.path.join(library, package), os.path.join(cls.tree, package),
                            ignore=shutil.ignore_patterns("__pycache__", "test", "tests"))

    def test_threads_and_pooling(self):
        first = self.inspect("--threads", "1", root=self.tree)
        self.assertGreater(len(first.findings), 500)
        self.assertEqual(first.report["threads"], 1)
        for arguments in (["--threads", "2"], ["--threads", "4"], ["--threads", "8"], [],
                          ["--threads", "1", "--no-pool"], ["--threads", "4", "--no-pool"]):
            with self.subTest(arguments=arguments):
                other = self.inspect(*arguments, root=self.tree)
                self.same(first, other)
                if "--threads" in arguments:
                    self.assertEqual(other.report["threads"], int(arguments[1]))

    def test_database_is_replaced(self):
        """A second run into the same file leaves what the second run found."""
        database = os.path.join(self.folder, "again.db")
        self.write("one.py", b"def f(x): return x == 'same'\ndef g(x): return x == 'same'\n")
        for _ in range(2):
            done = inspect_run.run(self.root, "--db", database)
            self.assertEqual(done.returncode, 0, done.stderr)
            files, findings = inspect_run.read_database(database)
            self.assertEqual((len(files), len(findings)), (1, 1))

    def test_kinds(self):
        whole = self.inspect(root=self.tree)
        self.assertEqual(set(whole.report["findings"]), set(inspect_run.KINDS))
        for kinds in (["name"], ["position", "value"], list(inspect_run.KINDS[1:])):
            with self.subTest(kinds=kinds):
                some = self.inspect("--kinds", ",".join(kinds), root=self.tree)
                self.assertEqual(sorted(some.findings), sorted(f for f in whole.findings if f.kind in kinds))
                self.assertGreater(len(some.findings), 0)
                self.assertEqual(some.files, whole.files)
                self.assertEqual(some.report["findings"], {k: whole.report["findings"][k] for k in kinds})
                figures["findings compared"] += len(some.findings)

    def test_through_a_link(self):
        link = os.path.join(self.folder, "link")
        os.symlink(self.tree, link)
        self.same(self.inspect(root=self.tree), self.inspect(root=link))
        self.same(self.inspect(root=self.tree), self.inspect(root=self.tree + "//"))


class InTheWay(InspectCase):
    """Nothing in a tree is fatal, and nothing is passed over silently."""

    def reasons(self, done):
        reported = {entry["path"]: entry["reason"] for entry in done.report["failed"]}
        stored = {path: reason for path, (_, reason) in done.files.items() if reason is not None}
        self.assertEqual(reported, stored)
        return stored

    def test_everything_at_once(self):
        self.write("good.py", b"def f(x): return x == 'same'\ndef g(x): return x == 'same'\n")
        self.write("empty.py", b"")
        self.write("bad/not_utf8.py", b"x = '\xff'\n")
        self.write("bad/cut_utf8.py", b"x = 1 # \xe2\x82")
        self.write("bad/surrogate.py", b"x = '\xed\xa0\x80'\n")
        self.write("bad/overlong.py", b"x = '\xc0\xaf'\n")
        self.write("bad/syntax.py", b"x = 1\ny = 2\ndef f(:\n    pass\n")
        self.write("bad/latin.py", b"# coding: latin-1\nx = '\xe4'\n")
        os.mkfifo(os.path.join(self.root, "bad", "fifo.py"))
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(os.path.join(self.root, "bad", "socket.py"))
        with open(os.path.join(self.root, "bad", "big.py"), "wb") as stream:
            stream.truncate(1 << 30)
        os.symlink("good.py", os.path.join(self.root, "linked.py"))
        os.symlink("nowhere", os.path.join(self.root, "dangling.py"))
        os.symlink("..", os.path.join(self.root, "bad", "loop"))
        os.symlink(".", os.path.join(self.root, "loop.py"))
        done = self.inspect("--threads", "2")
        self.assertEqual(self.reasons(done), {
            "bad/not_utf8.py": "not valid UTF-8", "bad/cut_utf8.py": "not valid UTF-8",
            "bad/surrogate.py": "not valid UTF-8", "bad/overlong.py": "not valid UTF-8",
            "bad/syntax.py": "syntax error at line 3", "bad/latin.py": "encoding latin-1",
            "bad/fifo.py": "not a regular file", "bad/socket.py": "not a regular file", "bad/big.py": "too large"})
        self.assertEqual(done.report["files"], 11)
        self.assertEqual(done.files["empty.py"], (0, None))
        self.assertEqual(done.files["bad/big.py"], (0, "too large"))
        self.assertEqual([finding.key for finding in done.findings], ["'same'"])
        self.assertLess(done.report["peak_rss_bytes"], 200 << 20)

    def test_unreadable(self):
        """As root everything is readable: the command runs as nobody then."""
        path = self.write("secret.py")
        os.makedirs(os.path.join(self.root, "closed"))
        self.write("closed/inside.py")
        self.write("open.py")
        os.chmod(path, 0)
        closed = os.path.join(self.root, "closed")
        os.chmod(closed, 0)
        self.addCleanup(os.chmod, closed, 0o755)
        more = {}
        if os.geteuid() == 0:
            more = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chmod(self.folder, 0o777)
            if subprocess.run([inspect_run.command(), "run", "inspect", "--help"], capture_output=True, check=False,
                              **self.may_start(more)).returncode:
                self.skipTest("the command lies where nobody else may run it")
        done = self.inspect(**more)
        reasons = self.reasons(done)
        self.assertEqual(reasons.pop("secret.py"), os.strerror(errno.EACCES))
        self.assertEqual(reasons, {"closed": os.strerror(errno.EACCES)})
        self.assertIsNone(done.files["open.py"][1])

    @staticmethod
    def may_start(more):
        try:
            subprocess.run([inspect_run.command(), "--help"], capture_output=True, check=False, **more)
        except PermissionError:
            raise unittest.SkipTest("the command lies where nobody else may run it") from None
        return more

    def test_vanishing(self):
        """Largest files come first: while the one thread is at the large one, all others go."""
        self.write("large.py", b"def f(x):\n    return g(x)[x.y] + (x, x, x)\n\n" * 400000)
        small = [self.write(f"small_{number}.py") for number in range(200)]
        process = self.start_and_stop_at_work(["--threads", "1"])
        for path in small:
            os.remove(path)
        os.kill(process.pid, signal.SIGCONT)
        _, error = process.communicate(timeout=inspect_run.TIMEOUT_S)
        self.assertEqual(process.returncode, 0, error)
        files, _ = inspect_run.read_database(os.path.join(self.folder, "inspect.db"))
        self.assertEqual({reason for _, reason in files.values()}, {None, "vanished"})
        self.assertEqual(sum(reason == "vanished" for _, reason in files.values()), len(small))

    def start_and_stop_at_work(self, arguments):
        """A run that was stopped (SIGSTOP) when it had used a third of a second of CPU time: listing is over then."""
        process = self.start(*arguments)
        while process.poll() is None and cpu_seconds(process.pid) < 0.33:
            time.sleep(0.002)
        self.assertIsNone(process.returncode, "it was done before it could be stopped: the tree is too small")
        os.kill(process.pid, signal.SIGSTOP)
        return process

    def test_folder_without_python_files(self):
        """No report of zeros: who gave the wrong folder is told so, and no database is touched."""
        self.write("notes.txt")
        self.write("site-packages/hidden.py")
        database = os.path.join(self.folder, "old.db")
        with open(database, "w", encoding="ascii") as stream:
            stream.write("of somebody else")
        for arguments in ([self.root], [self.root, "--db", database, "--json", "-"]):
            done = inspect_run.run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"{self.root}: no Python files", done.stderr)
            self.assertIn("site-packages", done.stderr)
            self.assertIn("Name the folder", done.stderr)
            self.assertLessEqual(max(map(len, done.stderr.splitlines()[1:])), 80)
        with open(database, encoding="ascii") as stream:
            self.assertEqual(stream.read(), "of somebody else")

    def test_odd_file_names(self):
        names = ["with space.py", "new\nline.py", "quote'\"\\.py", "ünï.py", ".py", "tab\t.py", "-dash.py", "%s%n.py"]
        for name in names:
            self.write(name, b"def f(x): return x == 'same'\n")
        done = self.inspect()
        self.assertEqual(set(done.files), set(names))
        self.assertEqual([len(finding.places) for finding in done.findings], [len(names)])

    def test_file_name_that_is_not_utf8(self):
        path = os.path.join(os.fsencode(self.root), b"\xff\xfe.py")
        with open(path, "wb") as stream:
            stream.write(b"def f(:\n")
        done = self.inspect()
        self.assertEqual(len(done.files), 1)
        self.assertEqual(len(done.report["failed"]), 1)

    def test_deep_nesting(self):
        """However deep a file is nested, the run goes on: deep trees must not end on a small thread's stack."""
        self.write("deep_minus.py", b"x = " + b"-" * 50000 + b"1\n")
        self.write("deep_attributes.py", b"def f(x):\n    return x" + b".a" * 29000 + b"\n")
        self.write("deep_binary.py", b"def f(x):\n    return x" + b" | a" * 29000 + b"\n")
        self.write("deep_parens.py", b"x = " + b"(" * 199 + b"1" + b")" * 199 + b"\n")
        self.write("deep_calls.py", b"def f(x):\n    return x" + b"(1)" * 14000 + b"\n")
        self.write("deep_chain.py", b"a = " * 20000 + b"1\n")
        self.write("good.py", b"def f(x): return x == 'same'\ndef g(x): return x == 'same'\n")
        done = self.inspect("--threads", "2")
        self.assertEqual([reason for _, reason in done.files.values()], [None] * 7)
        self.assertIn("'same'", [finding.key for finding in done.findings])

    def test_what_the_parser_does_not_survive(self):
        """tree-sitter 0.20.7 corrupts the heap where a node has 65,536 children, and takes minutes for some errors: most
        of these ended the run, or did not let it end. Each is told, and the files beside it are analysed."""
        many = 300000
        long = "more than 60000 words, signs and comments in one statement at line"
        bad = {"brackets": (b"x = 1\ny = " + b"(" * many, "brackets nested too deeply at line 2"),
               "annotation": (b"x: " + b"A[" * 250 + b"B" + b"]" * 250, "brackets nested too deeply at line 1"),
               "signs": (b"x = 1\n" + b"*" * many, f"{long} 2"),
               "not": (b"x = " + b"not\n" * many, f"{long} 59999"),
               "lambda": (b"x = [" + b"lambda a, b: " * many, f"{long} 1"),
               "comments": (b"#\n" * many, f"{long} 60001"),
               "comments_inside": (b"x = (\n" + b"#\n" * many + b"1)\n", f"{long} 59999"),
               "continued": (b"x = 1 + " + b"\\\n" * many + b"1\n", f"{long} 59997"),
               "signs_in_lines": (b"**#c\n" * many, f"{long} 20001"),
               "blocks": (b"if 1:\n" + b"#\n" * 25000 + b" if 1:\n" + b" #\n" * 25000 + b"  if 1:\n" + b"  #\n" * 25000 + b")",
                          f"{long} 60001"),
               "closed": (b"x = 1\n" + b")" * many, f"{long} 2"),
               "decorators": (b"@\n" * many, f"{long} 60001"),
               "cut_off": (b"y = 2\nx = [" + b"1," * many, "syntax error at line"),
               "no_end": (b"y = 2\nx = '''" + b"some words\n" * many, "syntax error at line"),
               "no_python": (b"Some words, and - a sign: it's more.\n" * (many // 10), "syntax error at line 1"),
               "late": (b"a = 1\n" * many + b"b = (1,,2)\n" + b"a = 1\n" * many, f"syntax error at line {many + 1}")}
        for name, (text, _) in bad.items():
            self.write(f"{name}.py", text)
        self.write("large.py", b"a = 1 # a comment\n" * (many // 4) + b"x = [" + b"1, # one\n" * (many // 4) + b"]\n")
        self.write("good.py", b"def f(x): return x == 'same'\ndef g(x): return x == 'same'\n")
        done = self.inspect("--threads", "2")
        for name, (_, reason) in bad.items():
            with self.subTest(name=name):
                self.assertTrue(str(done.files[f"{name}.py"][1]).startswith(reason), done.files[f"{name}.py"])
        self.assertEqual([done.files[name][1] for name in ("large.py", "good.py")], [None, None])


class Usage(InspectCase):
    """Options, reports and exit statuses."""

    def test_help(self):
        done = inspect_run.run("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for option in ("--db", "--json", "--threads", "--kinds", "--rules", "--detectors", "--wait", "--locks",
                       "--no-pool", "--no-progress", "--help", "SIGUSR1"):
            self.assertIn(option, done.stdout)
        self.assertNotIn("\x1b", done.stdout)

    def test_wrong_usage(self):
        missing = os.path.join(self.folder, "nothing_here")
        file = self.write("file.py")
        for arguments, named in (([missing], missing), ([file], file), ([self.root, "--no-such"], "--no-such"),
                                 ([self.root, "--kinds", "name,nonsense"], "nonsense"),
                                 ([self.root, "--kinds", ""], "--kinds"), ([self.root, "--db", ""], "--db"),
                                 ([self.root, "--threads", "0"], "0"), ([self.root, "--threads", "-1"], "-1"),
                                 ([self.root, "--threads", "2x"], "2x"), ([self.root, "--threads"], "--threads"),
                                 ([self.root, self.root], self.root),
                                 ([self.root, "--rules", missing], missing)):
            with self.subTest(arguments=arguments):
                self.assertIn(named, self.refused(*arguments))

    def test_unwritable(self):
        self.write("good.py")
        nowhere = os.path.join(self.folder, "no", "such", "folder")
        for arguments, reason in ((["--db", nowhere + ".db"], "unable to open|No such file"),
                                  (["--json", nowhere + ".json"], "No such file"),
                                  (["--db", self.root], "unable to open|directory"),
                                  (["--json", self.root], "directory")):
            with self.subTest(arguments=arguments):
                said = self.refused(self.root, *arguments, status=2 if arguments[0] == "--json" else 1)
                self.assertIn(arguments[1], said)
                self.assertRegex(said, reason)

    def test_database_that_is_none(self):
        """A file that is no database is not overwritten."""
        self.write("good.py")
        other = os.path.join(self.folder, "letter.txt")
        with open(other, "w", encoding="utf-8") as stream:
            stream.write("Dear reader,\n" * 1000)
        self.assertIn(other, self.refused(self.root, "--db", other, status=1))
        with open(other, encoding="utf-8") as stream:
            self.assertEqual(stream.read(), "Dear reader,\n" * 1000)

    def test_full_disk(self):
        for number in range(40):
            text = "".join(f"def f{i}(x): return x == 'literal number {i} of many'\n" for i in range(200))
            self.write(f"file_{number}.py", text.encode())
        small = os.path.join(self.folder, "small")
        os.mkdir(small)
        if os.geteuid() != 0 or not mount_small(small):
            self.skipTest("mounting a small tmpfs takes root and CAP_SYS_ADMIN")
        self.addCleanup(unmount, small)
        database = os.path.join(small, "inspect.db")
        said = self.refused(self.root, "--db", database, "--no-progress", status=1)
        self.assertIn(database, said)
        self.assertRegex(said, "full|No space left")

    def test_full_json(self):
        self.write("good.py")
        said = self.refused(self.root, "--json", "/dev/full", status=1)
        self.assertIn("/dev/full", said)
        self.assertIn(os.strerror(errno.ENOSPC), said)

    def test_no_descriptors(self):
        """Where the system gives none for listening to Ctrl-C, the run fails and says so: without them it could neither
        be stopped nor end by itself."""
        self.write("good.py")
        for limit in range(4, 8):
            with self.subTest(limit=limit):
                done = subprocess.run([inspect_run.command(), "run", "inspect", self.root, "--no-progress"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
                                      timeout=inspect_run.TIMEOUT_S, check=False)
                if done.returncode != 0:
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertIn(os.strerror(errno.EMFILE), done.stderr)
                elif limit < 6:  # three standard ones, the folder's, two for the watch
                    self.fail("it needs fewer descriptors than the test knows")

    def test_a_report_that_nobody_reads_can_be_stopped(self):
        """The work is done, and the pipe for its figures has no reader: SIGTERM ends the run all the same."""
        self.write("good.py")
        pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(pipe)
        database = os.path.join(self.folder, "inspect.db")
        with subprocess.Popen([inspect_run.command(), "run", "inspect", self.root, "--db", database, "--json", pipe],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            give_up = time.monotonic() + 60
            while not stored(database) and time.monotonic() < give_up:
                time.sleep(0.01)
            while process.poll() is None and time.monotonic() < give_up:
                process.send_signal(signal.SIGTERM)  # the first may come just before the run listens again
                time.sleep(0.05)
            if process.poll() is None:
                process.kill()
            self.assertEqual(process.wait(), -signal.SIGTERM)

    def test_closed_output(self):
        """A reader that goes away (`lido ... | head -1`) is an error, not a crash."""
        self.write("good.py")
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as broken:
            done = subprocess.run([inspect_run.command(), "run", "inspect", self.root], stdin=subprocess.DEVNULL,
                                  stdout=broken, stderr=subprocess.PIPE, check=False)
        self.assertIn(done.returncode, (1, 128 + signal.SIGPIPE, -signal.SIGPIPE))

    def test_json(self):
        self.write("good.py", b"def f(x): return x == 'same'\ndef g(x): return x == 'same'\n")
        self.write("bad.py", b"def f(:\n")
        report = self.inspect("--threads", "2").report
        self.assertEqual(list(report), ["files", "bytes", "failed", "findings", "threads", "wall_s", "cpu_s",
                                        "peak_rss_bytes", "detectors", "allocations"])
        self.assertEqual((report["files"], report["bytes"], report["threads"]), (2, 66, 2))
        self.assertEqual(report["failed"], [{"path": "bad.py", "reason": "syntax error at line 1"}])
        self.assertEqual(report["findings"], {kind: int(kind == "meaning") for kind in inspect_run.KINDS})
        for key, kinds in (("wall_s", float), ("cpu_s", float), ("peak_rss_bytes", int)):
            self.assertIs(type(report[key]), kinds, key)
            self.assertGreater(report[key], 0, key)
        self.assertEqual({key: type(value) for key, value in report["detectors"].items()},
                         {"created": int, "peak_in_use": int, "waits": int})
        self.assertEqual({key: type(value) for key, value in report["allocations"].items()},
                         {"served": int, "system": int})
        self.assertGreaterEqual(report["detectors"]["created"], report["detectors"]["peak_in_use"])
        self.assertGreaterEqual(report["detectors"]["peak_in_use"], 1)
        self.assertGreater(report["allocations"]["served"], 0)

    def test_detectors_are_pooled(self):
        for number in range(60):
            self.write(f"file_{number}.py", b"def f(x): return x == 'same'\n")
        pooled = self.inspect("--threads", "2").report
        apart = self.inspect("--threads", "2", "--no-pool").report
        self.assertLessEqual(pooled["detectors"]["created"], 2 * len(inspect_run.KINDS))
        self.assertGreaterEqual(apart["detectors"]["created"], 60)
        self.assertGreater(apart["allocations"]["system"], pooled["allocations"]["system"])

    def test_progress(self):
        for number in range(300):
            self.write(f"file_{number}.py", b"def f(x): return x == 'same'\n" * 200)
        loud = self.inspect()
        self.assertNotIn("\x1b", loud.out + loud.err)
        self.assertNotIn("\r", loud.out + loud.err)
        self.assertRegex(loud.err, r"\d")
        for line in loud.err.splitlines():
            self.assertLess(len(line), 200)
        quiet = self.inspect("--no-progress")
        self.assertEqual(quiet.err, "")
        self.assertNotEqual(quiet.out, "")
        self.assertRegex(quiet.out, r"\b300\b")

    def test_summary_names_what_failed(self):
        self.write("good.py")
        self.write("folder/bad.py", b"def f(:\n")
        done = self.inspect("--no-progress")
        self.assertIn("folder/bad.py", done.out)
        self.assertIn("syntax error at line 1", done.out)


class Detectors(InspectCase):
    """Twenty threads and one detector: each file gets it, or the run fails and says why. None is left out."""

    LARGE = b"def f(x):\n    return g(x)[x.y] + (x, x, x)\n\n" * 400000

    def test_twenty_threads_one_detector(self):
        for number in range(200):
            self.write(f"file_{number}.py", f"def f(x): return x == 'same {number % 9}'\n".encode() * 20)
        alone = self.inspect("--threads", "1")
        crowd = self.inspect("--threads", "20", "--detectors", "1", "--wait", "60")
        self.same(alone, crowd)
        self.assertEqual((crowd.report["threads"], crowd.report["files"], crowd.report["failed"]), (20, 200, []))
        self.assertEqual((crowd.report["detectors"]["created"], crowd.report["detectors"]["peak_in_use"]), (1, 1))
        self.assertGreater(crowd.report["detectors"]["waits"], 0)
        self.assertRegex(crowd.out, r"detectors +1 created, 1 most in use, \d+ waits, ")

    def test_time_out_names_who_has_it(self):
        """While one thread is at a large file, the others come to the end of their patience.

        Of two, for the small ones could all be done before the only thread with a large one was let run.
        """
        for number in range(2):
            self.write(f"large_{number}.py", self.LARGE[:len(self.LARGE) // 2])
        for number in range(30):
            self.write(f"small_{number}.py")
        database = os.path.join(self.folder, "old.db")
        said = self.refused(self.root, "--threads", "20", "--detectors", "1", "--wait", "1", "--no-progress",
                            "--db", database, status=1)
        self.assertRegex(said, r'(small|large)_\d+\.py: .*"detectors"')
        self.assertRegex(said, r"workloads/inspect/worker\.c:\d+")
        with sqlite3.connect(database) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        connection.close()
        self.assertEqual(tables, [])

    def test_sizing_decisions_are_told_with_their_reasons(self):
        self.write("large.py", self.LARGE[:4000000])
        for number in range(400):
            self.write(f"file_{number}.py", b"def f(x): return x == 'same'\n" * 300)
        done = self.inspect("--threads", "6", "--no-progress")
        created = done.report["detectors"]["created"]
        self.assertGreater(created, 2)
        moves = re.findall(r"    size (\d+) -> (\d+)(?: in \d+ steps)? at [\d.]+(?: to [\d.]+)? s: (\w.*)", done.out)
        self.assertTrue(moves, done.out)
        self.assertEqual(moves[0][0], "2")
        for (_, to, reason), (start, _, _) in zip(moves, moves[1:] + [(moves[-1][1], "", "")]):
            self.assertEqual(to, start)
            self.assertRegex(reason, r"\w+ \w+")
        self.assertEqual([line for line in done.out.splitlines() if len(line) > 80], [])

    def test_who_asks_is_told_who_has_what(self):
        """SIGUSR1 changes nothing, Ctrl-C ends the run when what was begun is done; both say which thread is at which
        file, with a detector since when, and where it got it."""
        for number in range(6):
            self.write(f"large_{number}.py", self.LARGE[:3000000])
        process = self.start("--threads", "4", "--detectors", "1", "--no-progress",
                             preexec_fn=lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN))
        told, text = None, b""
        while told is None and process.poll() is None:  # until all four have been let run
            process.send_signal(signal.SIGUSR1)
            if select.select([process.stderr], [], [], 0.01)[0]:
                text += os.read(process.stderr.fileno(), 1 << 16)
            told = re.search(self.TOLD, text.decode())
        self.assertIsNotNone(told, text)
        done, left = int(told[1]), int(told[2])
        self.assertLessEqual(done + left, 2)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=inspect_run.TIMEOUT_S)
        self.assertEqual(process.returncode, 130, error)
        then = re.search(r"stopping; once more ends at once\n\ninspect: (\d) of 6 done after", error)
        self.assertIsNotNone(then, error)
        self.assertIn(int(re.search(r"Interrupted: (\d) files", out)[1]), range(4 + done, 5 + int(then[1])))
        self.assertRegex(error, r"      at large_\d\.py\n")

    TOLD = (r"\ninspect: (\d) of 6 done after [\d.]+ s, (\d) not begun by anybody\n"
            r"  detectors: 1 of 1 in use, 3 threads waiting for one\n"
            r"    held since [\d.]+ s by thread \d+ from (?:\S*/)?workloads/inspect/worker\.c:\d+\n"
            r"      at large_\d\.py\n")


class Locks(InspectCase):
    """--locks: what threads waited for, whose line made them wait."""

    def test_table_and_json_agree(self):
        done = self.inspect("--threads", "8", "--locks", "--no-progress", root=CORPUS)
        locks = done.report["locks"]
        self.assertEqual(set(locks), {"acquired", "contended", "first_try", "events_per_1000", "waits", "wait_total_ns",
                                      "wait_max_ns", "blamed_ns", "hold_samples", "hold_total_ns", "classes", "pairs",
                                      "halves"})
        classes = {row["name"]: row for row in locks["classes"]}
        self.assertLessEqual({"shared strings", "facts", "crew"}, set(classes))
        self.assertEqual(classes["facts"]["acquired"], done.report["files"])
        for key in ("acquired", "contended", "waits", "wait_total_ns", "blamed_ns", "hold_samples"):
            self.assertEqual(locks[key], sum(row[key] for row in classes.values()), key)
        for row in [locks, *classes.values()]:
            self.assertAlmostEqual(row["first_try"], 1 - row["contended"] / row["acquired"], places=7)
            self.assertAlmostEqual(row["events_per_1000"], 1000 * row["contended"] / row["acquired"], places=4)
            self.assertLessEqual(row["waits"], row["contended"])
        for pair in locks["pairs"]:
            self.assertIn(pair["name"], classes)
            self.assertRegex(pair["held_at"], r"(?:^|/)workloads/\w+/\w+\.c:\d+$")
        slept = [pair for pair in locks["pairs"] if pair["waits_at"] is not None]
        self.assertEqual(sum(pair["waits"] for pair in slept), locks["waits"])
        for name in [*classes, "all"]:
            row = classes.get(name, locks)
            self.assertRegex(done.out, rf"(?m)^  {name} +{row['acquired']} +{row['first_try'] * 100:.2f} ")
        self.assertRegex(done.out, r"not at the first try, of 1,000: first half [\d.]+, second half [\d.]+")
        self.assertIn("Nobody slept for a lock" if locks["waits"] == 0 else "Who slept  ", done.out)

    def test_only_when_asked(self):
        done = self.inspect("--threads", "2", root=CORPUS)
        self.assertNotIn("locks", done.report)
        self.assertNotIn("first try", done.out)

    def test_a_coarse_lock_is_seen(self):
        """--one-lock holds one lock around each file, and the figures tell whose fault it is."""
        for number in range(300):
            self.write(f"file_{number}.py", "".join(f"def f{number}_{i}(x): return x == {i}.{number}\n"
                                                    for i in range(100)).encode())
        fine = self.inspect("--threads", "8", "--locks", "--no-progress")
        coarse = self.inspect("--threads", "8", "--locks", "--one-lock", "--no-progress")
        self.same(fine, coarse)
        self.assertLess(fine.report["locks"]["waits"], coarse.report["locks"]["waits"])
        worst = coarse.report["locks"]["classes"][0]
        self.assertEqual((worst["name"], worst["acquired"]), ("run", 300))
        self.assertGreater(worst["contended"], 23 * 300 / 1000)
        blame = [pair for pair in coarse.report["locks"]["pairs"] if pair["waits_at"] is None][0]
        self.assertEqual(blame["name"], "run")
        self.assertRegex(blame["held_at"], r"(?:^|/)workloads/inspect/worker\.c:\d+$")
        self.assertGreater(blame["wait_ns"], 0)
        self.assertRegex(coarse.out, r"Blame .*\n  run +[\d.]+  worker\.c:\d+\n")


class Rules(InspectCase):
    """Rules of users: queries whose predicates are truly evaluated, and refusals that say where."""

    SOURCE = b"""import os
def one(): return os.getenv("HOME"), os.getenv('HOME'), os.getenv("PATH", x("PATH"))
def two(): return eval(first) or eval(second) or exec(first) or first(eval, eval_more(first))
def three(a, b): return a + a, a + b, b + b, b + a
"""

    def found(self, query, *arguments):
        """key -> lines of its places, by a rule with this query."""
        self.write("source.py", self.SOURCE)
        rule = os.path.join(self.folder, "my_rule.scm")
        with open(rule, "w", encoding="utf-8") as stream:
            stream.write(query)
        done = self.inspect("--rules", rule, *arguments)
        findings = [finding for finding in done.findings if finding.kind.startswith("rule.")]
        self.assertEqual({finding.kind for finding in findings} - {"rule.my_rule"}, set())
        self.assertEqual(done.report["findings"]["rule.my_rule"], len(findings))
        self.assertEqual({place[2] for finding in findings for place in finding.places} - {"place"}, set())
        figures["findings compared"] += len(findings)
        return {finding.key: [place[1] for place in finding.places] for finding in findings}

    CALL = "(call function: (identifier) @key arguments: (argument_list . (identifier) @argument)) @place"
    SUM = "(binary_operator left: (identifier) @key right: (identifier) @right) @place"

    def test_predicates(self):
        for query, keys in (
                (f"({self.CALL})", {"eval": [3, 3]}),
                (f'({self.CALL} (#eq? @key "exec"))', {}),
                (f'({self.CALL} (#eq? @key "eval"))', {"eval": [3, 3]}),
                (f'({self.CALL} (#eq? @argument "first"))', {}),
                (f'({self.CALL} (#not-eq? @argument "second"))', {}),
                (f'({self.CALL} (#not-eq? @argument "third"))', {"eval": [3, 3]}),
                (f'({self.CALL} (#match? @key "^ev"))', {"eval": [3, 3]}),
                (f'({self.CALL} (#match? @key "^v|xx+"))', {}),
                (f'({self.CALL} (#match? @argument "(fir|secon)[std]+$"))', {"eval": [3, 3]}),
                (f'({self.CALL} (#not-match? @argument "^f"))', {}),
                (f'({self.CALL} (#not-match? @argument "^x"))', {"eval": [3, 3]}),
                (f'({self.CALL} (#any-of? @argument "second" "first"))', {"eval": [3, 3]}),
                (f'({self.CALL} (#any-of? @argument "secon" "firstly" "second"))', {}),
                (f'({self.CALL} (#any-of? @argument "first" "second") (#eq? @argument "second"))', {}),
                (f"({self.SUM})", {"a": [4, 4], "b": [4, 4]}),
                (f"({self.SUM} (#eq? @key @right))", {}),
                (f"({self.SUM} (#not-eq? @key @right))", {}),
                ("((identifier) @key (#match? @key \"^[ab]$\"))", {"a": [4] * 5, "b": [4] * 5}),
                ('((identifier) @key (#eq? @key "first")) ; a comment', {"first": [3, 3, 3, 3]})):
            with self.subTest(query=query):
                self.assertEqual(self.found(query), keys)

    def test_place_is_counted_once(self):
        """`(_)` matches each argument in turn: one call of two arguments is one place."""
        query = "(call function: (attribute attribute: (identifier) @key) arguments: (argument_list (_))) @place"
        self.assertEqual(self.found(query), {"getenv": [2, 2, 2]})

    def test_rule_of_the_page(self):
        with open(os.path.join(inspect_run.HERE, "..", "..", "docs", "inspect.md"), encoding="utf-8") as stream:
            query = "\n".join(re.search(r"\n\n((?:    .*\n)+)", stream.read().split("## Rules of your own")[1])[1]
                              .splitlines())
        self.write("other.py", b"import os\nX = os.getenv('HOME')\n")
        self.assertEqual(self.found(query), {"'HOME'": [2, 2]})

    def test_beside_other_kinds(self):
        self.assertEqual(self.found(f"({self.CALL})", "--kinds", "name", "--threads", "4"), {"eval": [3, 3]})

    def test_folder_of_rules(self):
        self.write("source.py", self.SOURCE)
        rules = os.path.join(self.folder, "rules")
        os.mkdir(rules)
        for name, text in (("one.scm", f"({self.CALL})"), ("two.scm", f"({self.SUM})"), ("notes.txt", "no query")):
            with open(os.path.join(rules, name), "w", encoding="utf-8") as stream:
                stream.write(text)
        report = self.inspect("--rules", rules).report
        self.assertEqual({key: count for key, count in report["findings"].items() if key.startswith("rule.")},
                         {"rule.one": 1, "rule.two": 2})

    def test_refusals(self):
        self.write("source.py", self.SOURCE)
        for query, line, named in (
                ("((call\n  function: (identifer) @key))", 2, "node"),
                ("(call\n\n  functoin: (identifier) @key)", 3, "field"),
                ("(call function: (identifier) @key\n", None, "syntax"),
                ("\n\n((identifier) @key (#frob? @key \"x\"))", 3, "frob"),
                ("((identifier) @key (#eq? @nokey \"x\"))", 1, "capture"),
                ("((identifier) @key (#match? @key \"([\"))", 1, "regular expression"),
                ("((identifier) @key (#eq? @key))", 1, "eq"),
                ("(identifier) @place", 1, "@key"),
                ("", 1, "@key")):
            with self.subTest(query=query):
                rule = os.path.join(self.folder, "bad.scm")
                with open(rule, "w", encoding="utf-8") as stream:
                    stream.write(query)
                said = self.refused(self.root, "--rules", rule)
                self.assertRegex(said, re.escape(rule) + r":%s: " % (line or r"\d+"))
                self.assertIn(named, said)


class Interrupted(InspectCase):
    """Ctrl-C leaves a database that says exactly what was done."""

    def test_sigint(self):
        text = "".join(f"def f{i}(x, a, b, c): return x == 'literal {i}' or f{i}(1, 2, 3, {i})\n" for i in range(300))
        for number in range(3000):
            self.write(f"package_{number % 10}/file_{number}.py", f"# {number}\n{text}".encode())
        for threads in ("1", "4"):
            with self.subTest(threads=threads):
                self.interrupt(threads)

    def interrupt(self, threads):
        process = InTheWay.start_and_stop_at_work(self, ["--threads", threads, "--no-progress"])
        process.send_signal(signal.SIGINT)
        os.kill(process.pid, signal.SIGCONT)
        out, error = process.communicate(timeout=inspect_run.TIMEOUT_S)
        self.assertEqual(process.returncode, 130, error)
        self.assertIn("interrupted", out.lower())
        files, findings = inspect_run.read_database(os.path.join(self.folder, "inspect.db"))
        done = {path for path, (_, reason) in files.items() if reason is None}
        self.assertGreater(len(done), 0)
        self.assertLess(len(done), 3000)
        self.assertLessEqual({reason for _, reason in files.values()}, {None, "interrupted"})
        with open(os.path.join(self.folder, "inspect.json"), encoding="utf-8") as stream:
            report = json.load(stream)
        self.assertEqual(sum(report["findings"].values()), len(findings))
        part = os.path.join(self.folder, "part" + threads)
        for path in done:
            os.makedirs(os.path.dirname(os.path.join(part, path)), exist_ok=True)
            os.link(os.path.join(self.root, path), os.path.join(part, path))
        whole = self.inspect(root=part)
        self.assertEqual(set(whole.files), done)
        self.assertEqual(sorted(whole.findings), sorted(findings))
        self.assertGreater(len(findings), 0)
        figures["findings compared"] += len(findings)

    def test_sigint_at_once(self):
        """Whenever it comes, from before the first file to behind the last: 130 or 0, and a whole database or none."""
        for number in range(50):
            self.write(f"file_{number}.py", b"def f(x): return x == 'same'\n" * 50)
        for delay_ms in range(0, 60, 4):
            database = os.path.join(self.folder, f"{delay_ms}.db")
            process = subprocess.Popen([inspect_run.command(), "run", "inspect", self.root, "--db", database],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(end, process)
            time.sleep(delay_ms / 1000)
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=inspect_run.TIMEOUT_S)
            figures["runs"] += 1
            self.assertIn(process.returncode, (0, 130, -signal.SIGINT), error)
            if process.returncode != -signal.SIGINT:
                inspect_run.read_database(database)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
        fields = stream.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end(process):
    if process.poll() is None:
        process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        stream.close()


def mount_small(path):
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, b"size=64k") == 0


def unmount(path):
    ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(path), 2)


def main():
    program = unittest.main(exit=False, verbosity=1)
    for test, reason in program.result.skipped:
        print(f"skipped: {test}: {reason}")
    print(f"inspect: {program.result.testsRun} tests, {figures['runs']} runs of the command, "
          f"{figures['findings compared']} findings compared")
    return 0 if program.result.wasSuccessful() and figures["runs"] else 1


if __name__ == "__main__":
    sys.exit(main())
