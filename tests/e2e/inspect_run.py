# SPDX-License-Identifier: MIT
"""Runs `lido run inspect` and reads what it left: shared by the tests of inspect.

The command is the one that the environment names in LIDO, or the release build of this working tree.
"""
import collections
import json
import os
import sqlite3
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
BUILT = os.path.join(HERE, "..", "..", "build", "release", "lido")
TIMEOUT_S = 300

KINDS = ("name", "type", "meaning", "position", "algorithm", "execution", "timing", "value")
HEURISTIC = {"execution", "timing", "value"}
RULE_STRENGTH = 3  # of what users' rules find, kind rule.NAME, always heuristic

Finding = collections.namedtuple("Finding", "kind key locality places")  # places: sorted (path, line, role, function)
Run = collections.namedtuple("Run", "status out err report files findings")


def command():
    path = os.path.abspath(os.environ.get("LIDO") or BUILT)
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{path}: no such command; build it, or name it in the environment as LIDO")
    return path


def run(*arguments, timeout=TIMEOUT_S, **more):
    """Runs `lido run inspect` to its end."""
    return subprocess.run([command(), "run", "inspect", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, encoding="utf-8", errors="surrogateescape", timeout=timeout, check=False, **more)


def run_into(folder, root, *arguments, **more):
    """Runs inspect on root with database and report in folder; reads both where they exist."""
    database = os.path.join(folder, "inspect.db")
    report = os.path.join(folder, "inspect.json")
    for old in (database, report):
        if os.path.exists(old):
            os.remove(old)
    done = run(root, "--db", database, "--json", report, *arguments, **more)
    files, findings = read_database(database) if os.path.exists(database) else ({}, [])
    parsed = None
    if os.path.exists(report):
        with open(report, encoding="utf-8") as stream:
            parsed = json.load(stream)
    return Run(done.returncode, done.stdout, done.stderr, parsed, files, findings)


def read_database(path):
    """(files, findings) of a database, after making sure that it is whole: every figure in it that follows from
    another one is checked here, so that no test can forget it."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        check_whole(connection)
        rows = connection.execute("SELECT id, path, bytes, reason FROM files").fetchall()
        path_of = {number: name for number, name, _, _ in rows}
        files = {name: (size, reason) for _, name, size, reason in rows}
        assert len(files) == len(rows), "a path is listed twice"
        places = collections.defaultdict(list)
        for finding, file, line, role, function in connection.execute(
                "SELECT finding_id, file_id, line, role, function FROM places"):
            places[finding].append((path_of[file], line, role, function or ""))
        findings = []
        for number, kind, key, strength, degree, locality, heuristic in connection.execute(
                "SELECT id, kind, key, strength, degree, locality, heuristic FROM findings"):
            by_user = kind.startswith("rule.")
            assert strength == (RULE_STRENGTH if by_user else KINDS.index(kind) + 1), (kind, key, strength)
            assert heuristic == (by_user or kind in HEURISTIC), (kind, key, heuristic)
            assert degree == len(places[number]), (kind, key, degree, places[number])
            findings.append(Finding(kind, key, locality, tuple(sorted(places.pop(number)))))
        assert not places, "places of no finding"
    connection.close()
    return files, findings




def check_whole(connection):
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    lost = connection.execute("SELECT count(*) FROM places WHERE finding_id NOT IN (SELECT id FROM findings)"
                              " OR file_id NOT IN (SELECT id FROM files)").fetchone()
    assert lost == (0,), lost
