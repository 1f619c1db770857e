# SPDX-License-Identifier: MIT
"""Reads corpus/expected.txt; the form is told at the top of that file."""
import os
import posixpath
import re

import inspect_run

LABEL = re.compile(r"# @(\w+)$")
PLACE = re.compile(r"(?P<path>[^@:]+)(?:@(?P<label>\w+)(?P<offset>[+-]\d+)?|:(?P<line>\d+))\Z")


def labels(path):
    """label -> line of a file."""
    found = {}
    with open(path, encoding="utf-8") as stream:
        for line, text in enumerate(stream.read().split("\n"), 1):
            label = LABEL.search(text)
            if label:
                assert label.group(1) not in found, f"{path}: two labels {label.group(1)}"
                found[label.group(1)] = line
    return found


def unescape(key):
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "\\": "\\"}[found.group(1)], key)


class Expected:
    """findings: list of inspect_run.Finding; failed: whose reading fails -> path -> reason."""

    def __init__(self, path, root):
        self.findings = []
        self.failed = {"program": {}, "oracle": {}}
        self._root = root
        self._labels = {}
        self._heads = []
        self._places = []
        folder = ""
        with open(path, encoding="utf-8") as stream:
            for line in stream.read().split("\n"):
                if line.startswith("#") or not line.strip():
                    continue
                if line.startswith(" "):
                    self._places.append(self._place(folder, *line.split()))
                    continue
                if self._places:
                    self._finish()
                word, rest = line.split(" ", 1)
                if word == "folder":
                    folder = rest
                elif word in ("failed", "program", "oracle"):
                    name, reason = rest.split(" ", 1)
                    for reader in self.failed if word == "failed" else [word]:
                        self.failed[reader][name] = reason
                else:
                    locality, key = rest.split(" ", 1)
                    self._heads.append((word, unescape(key), locality))
        self._finish()

    def _finish(self):
        assert bool(self._heads) == bool(self._places), (self._heads, self._places)
        self.findings += [inspect_run.Finding(*head, tuple(sorted(self._places))) for head in self._heads]
        self._heads, self._places = [], []

    def _place(self, folder, where, role, function):
        found = PLACE.match(where)
        path = posixpath.normpath(posixpath.join("/", folder, found["path"]))[1:]
        if found["line"]:
            line = int(found["line"])
        else:
            if path not in self._labels:
                self._labels[path] = labels(os.path.join(self._root, path))
            line = self._labels[path][found["label"]] + int(found["offset"] or 0)
        return path, line, role, "" if function == "-" else function
