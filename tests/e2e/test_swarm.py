#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`lido run swarm` against a second implementation: the page docs/swarm.md, written in Python.

Functions are compared at fixed points, the optimiser by the checksum over every bit of every position
and value. LIDO names the command. Nothing here depends on how fast the machine is.
"""
import json
import math
import os
import pathlib
import signal
import struct
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

COMMAND = os.environ.get("LIDO", "build/dev/lido")
FUNCTIONS = {"sphere": 100.0, "rastrigin": 5.12, "rosenbrock": 30.0, "ackley": 32.0}
MASK = (1 << 64) - 1


# ---- The second implementation ---------------------------------------------------------------------


def sphere(x):
    total = 0.0
    for v in x:
        total += v * v
    return total


def rastrigin(x):
    total = 0.0
    for v in x:
        total += v * v - 10 * math.cos(2 * math.pi * v) + 10
    return total


def rosenbrock(x):
    total = 0.0
    for a, b in zip(x, x[1:]):
        bend, off = b - a * a, 1 - a
        total += 100 * (bend * bend) + off * off
    return total


def ackley(x):
    squares = waves = 0.0
    for v in x:
        squares += v * v
        waves += math.cos(2 * math.pi * v)
    return 20 - 20 * math.exp(-0.2 * math.sqrt(squares / len(x))) + (math.e - math.exp(waves / len(x)))


PLAIN = {"sphere": sphere, "rastrigin": rastrigin, "rosenbrock": rosenbrock, "ackley": ackley}


class Stream:
    """xoshiro256**, its state the next four words of a splitmix64 stream [state]."""

    def __init__(self, spread):
        self.s = [self.split(spread) for _ in range(4)]

    @staticmethod
    def split(spread):
        spread[0] = (spread[0] + 0x9E3779B97F4A7C15) & MASK
        z = spread[0]
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def unit(self):
        def rotate(v, by):
            return ((v << by) | (v >> (64 - by))) & MASK

        s = self.s
        result = (rotate((s[1] * 5) & MASK, 7) * 9) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        return (result >> 11) * 2.0**-53


def problem(name, dimensions, seed):
    """The function of that name as a callable on a list."""
    if not name.startswith("shifted-rotated-"):
        return PLAIN[name]
    plain = name.removeprefix("shifted-rotated-")
    stream = Stream([~seed & MASK])
    shift = [0.8 * FUNCTIONS[plain] * (2 * stream.unit() - 1) for _ in range(dimensions)]
    rows = []
    while len(rows) < dimensions:
        row = []
        for _ in range(dimensions):
            bell = -6.0
            for _ in range(12):
                bell += stream.unit()
            row.append(bell)
        for other in rows:
            along = 0.0
            for a, b in zip(row, other):
                along += a * b
            row = [a - along * b for a, b in zip(row, other)]
        length = math.sqrt(sphere(row))
        if length >= 1e-3:
            rows.append([a / length for a in row])
    optimum = 1.0 if plain == "rosenbrock" else 0.0

    def value(x):
        moved = []
        for row in rows:
            total = 0.0
            for turn, v, s in zip(row, x, shift):
                total += turn * (v - s)
            moved.append(total + optimum)
        return PLAIN[plain](moved)

    value.shift, value.rows = shift, rows
    return value


def bits(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def swarm(name, particles, dimensions, iterations, seed):
    """Returns the best value and the checksum."""
    value = problem(name, dimensions, seed)
    bound = FUNCTIONS[name.removeprefix("shifted-rotated-")]
    checksum = 0

    def add(word):
        nonlocal checksum
        checksum = ((checksum ^ word) * 0x9FB21C651E98DF25) & MASK
        checksum ^= checksum >> 32

    spread = [seed]
    streams, xs, vs, own, own_value, leader, best = [], [], [], [], [], None, math.inf
    for _ in range(particles):
        stream = Stream(spread)
        x, v = [], []
        for _ in range(dimensions):
            x.append(bound * (2 * stream.unit() - 1))
            v.append(bound * (stream.unit() - 0.5))
        streams.append(stream), xs.append(x), vs.append(v), own.append(list(x)), own_value.append(value(x))
        add(sum(map(bits, x)) & MASK)
        add(bits(own_value[-1]))

    def elect():
        nonlocal leader, best
        for i in range(particles):
            if own_value[i] < best:
                best, leader = own_value[i], list(own[i])

    elect()
    for _ in range(iterations):
        for i in range(particles):
            for d in range(dimensions):
                x = xs[i][d]
                to_own = streams[i].unit() * (own[i][d] - x)
                to_leader = streams[i].unit() * (leader[d] - x)
                v = 0.7298 * vs[i][d] + (1.49618 * to_own + 1.49618 * to_leader)
                x += v
                if not -bound <= x <= bound:
                    x, v = (-bound if x < 0 else bound), 0.0
                xs[i][d], vs[i][d] = x, v
            now = value(xs[i])
            if now < own_value[i]:
                own_value[i], own[i] = now, list(xs[i])
            add(sum(map(bits, xs[i])) & MASK)
            add(bits(now))
        elect()
    return best, checksum


# ---- The command -----------------------------------------------------------------------------------


def run(*arguments, **options):
    return subprocess.run(
        [COMMAND, "run", "swarm", *map(str, arguments)], capture_output=True, text=True, timeout=300, **options
    )


def run_json(*arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "swarm.json")
        done = run(*arguments, "--no-progress", "--json", path)
        assert done.returncode == 0, done.stderr
        return json.loads(path.read_text())


class Functions(unittest.TestCase):
    def evaluate(self, name, x, seed=1):
        # Joined with the name: a point may begin with a minus sign.
        done = run("--function", name, "--seed", seed, "--evaluate=" + ",".join(map(repr, x)))
        self.assertEqual(done.returncode, 0, done.stderr)
        return float(done.stdout)

    def test_values_at_fixed_points_are_those_of_python(self):
        points = ([0.5], [0.0, 0.0], [1.0, -2.0], [3.25, -0.125, 1e-3], [5.12] * 6, [-1.5, 2.5, 0.3, 4.0])
        for name, plain in PLAIN.items():
            for x in points:
                with self.subTest(name=name, x=x):
                    self.assertEqual(self.evaluate(name, x), plain(x))

    def test_known_minima_are_zero(self):
        for name in PLAIN:
            at = 1.0 if name == "rosenbrock" else 0.0
            self.assertAlmostEqual(self.evaluate(name, [at] * 7), 0, delta=1e-15)

    def test_shifted_rotated_values_are_those_of_python(self):
        for name in PLAIN:
            for seed in (0, 1, 2**63 - 1):
                twin = problem("shifted-rotated-" + name, 5, seed)
                x = [0.25, -1.5, 3.0, 2.0, -4.0]
                with self.subTest(name=name, seed=seed):
                    self.assertEqual(self.evaluate("shifted-rotated-" + name, x, seed), twin(x))

    def test_shifted_rotated_minimum_is_zero_at_the_shift_and_nowhere_near(self):
        for name in PLAIN:
            twin = problem("shifted-rotated-" + name, 6, 7)
            self.assertAlmostEqual(self.evaluate("shifted-rotated-" + name, twin.shift, 7), 0, delta=1e-12)
            self.assertGreater(self.evaluate("shifted-rotated-" + name, [0.0] * 6, 7), 0.1)
            for i, a in enumerate(twin.rows):
                for j, b in enumerate(twin.rows):
                    self.assertAlmostEqual(sum(p * q for p, q in zip(a, b)), float(i == j), delta=1e-12)


class Trajectories(unittest.TestCase):
    def test_every_bit_is_that_of_the_python_swarm(self):
        for name in ("sphere", "rosenbrock", "rastrigin", "shifted-rotated-ackley"):
            for shape in ([], ["--matrix"]):
                with self.subTest(name=name, shape=shape):
                    best, checksum = swarm(name, 7, 5, 130, 42)
                    given = run_json("--function", name, "--particles", 7, "--dimensions", 5, "--iterations", 130,
                                     "--seed", 42, "--repeat", 1, *shape)
                    self.assertEqual(given["best"], best)
                    self.assertEqual(given["checksum"], f"{checksum:016x}")

    def test_variants_agree_for_every_seed_and_seeds_differ(self):
        seen = set()
        for seed in range(12):
            name = ("rastrigin", "shifted-rotated-sphere")[seed % 2]
            given = run_json("--function", name, "--iterations", 300, "--seed", seed, "--repeat", 2,
                             *(["--matrix", "--particles", 40, "--dimensions", 9] if seed % 3 == 0 else []))
            self.assertTrue(given["equal"])
            self.assertEqual({v["checksum"] for v in given["variants"].values()}, {given["checksum"]})
            seen.add(given["checksum"])
        self.assertEqual(len(seen), 12)

    def test_sphere_converges(self):
        self.assertLess(run_json("--function", "sphere", "--repeat", 1, "--variant", "pool")["best"], 1e-100)


class Memory(unittest.TestCase):
    def test_pool_takes_what_it_gives_and_grows_by_nothing(self):
        given = run_json("--iterations", 5000, "--repeat", 1)
        pool, variant = given["pool"], given["variants"]["pool"]
        self.assertEqual(given["buffer_bytes"], 240)
        self.assertEqual(pool["live_peak"], 3 * 30 + 1)
        self.assertEqual(pool["acquired"], 3 * 30 + 5000 * 30)
        self.assertEqual(variant["calls"], 90 + 2 * 5000 * 30)
        self.assertEqual(variant["calls_after_100"], 2 * 4900 * 30)
        self.assertEqual(given["variants"]["in-place"]["calls_after_100"], 0)
        self.assertEqual(variant["calls"], given["variants"]["malloc"]["calls"])
        self.assertEqual(set(given["variants"]), {"in-place", "pool", "malloc", "calloc", "malloc-kept"})
        if given["sanitizer"]:
            self.skipTest("growth: a sanitizer adds memory of its own")
        self.assertEqual(pool["made"], 91)
        self.assertEqual(variant["growth_after_100_bytes"], 0)
        self.assertEqual(variant["page_faults_after_100"], 0)

    def test_matrices_come_back_to_a_reserved_pool_without_a_fault(self):
        given = run_json("--matrix", "--particles", 400, "--iterations", 150, "--repeat", 1)
        self.assertEqual(given["pool"]["live_peak"], 3 + 4)
        self.assertEqual(given["variants"]["pool"]["calls_after_100"], 50 * 2 * 4)
        if given["sanitizer"]:
            self.skipTest("growth: a sanitizer adds memory of its own")
        self.assertEqual(given["variants"]["pool"]["page_faults_after_100"], 0)
        self.assertEqual(given["variants"]["pool"]["growth_after_100_bytes"], 0)


class Output(unittest.TestCase):
    def test_json_has_the_documented_keys(self):
        page = pathlib.Path(__file__).parents[2].joinpath("docs/swarm.md").read_text()
        given = run_json("--iterations", 200, "--repeat", 2)
        for key in (*given, *given["pool"], *given["variants"]["pool"], *given["pool_to_malloc"]):
            self.assertIn(f"`{key}`", page)
        self.assertIsNone(run_json("--iterations", 200, "--repeat", 1, "--variant", "malloc")["pool"])
        for variant in given["variants"].values():
            spread = variant["cpu_s"]
            self.assertTrue(0 < spread["min"] <= spread["median"] <= spread["max"])
        self.assertEqual(given["variants"]["in-place"]["ratio_to_in_place"], {"median": 1, "min": 1, "max": 1})

    def test_plot_is_xml_with_both_curves_and_labelled_axes(self):
        for function, iterations in (("sphere", 3000), ("ackley", 1), ("rastrigin", 90)):
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "plot.svg")
                done = run("--function", function, "--iterations", iterations, "--repeat", 1, "--plot", path)
                self.assertEqual(done.returncode, 0, done.stderr)
                root = ElementTree.parse(path).getroot()
            name = "{http://www.w3.org/2000/svg}"
            self.assertEqual(root.tag, name + "svg")
            curves = [p.get("points").split() for p in root.iter(name + "polyline")]
            self.assertEqual(len(curves), 2)
            for curve in curves:
                self.assertEqual(len(curve), min(iterations, 700))
                for point in curve:
                    x, y = map(float, point.split(","))
                    self.assertTrue(0 <= x <= 860 and 0 <= y <= 520, point)
            best = [float(p.split(",")[1]) for p in curves[1]]
            self.assertEqual(best, sorted(best), "the best value never gets worse: y grows downwards")
            text = " ".join(t.text for t in root.iter(name + "text"))
            for word in ("iteration", "log scale", function, "best so far", "mean of the swarm"):
                self.assertIn(word, text)

    def test_report_says_in_plain_words_what_the_ratio_means(self):
        done = run("--iterations", 200, "--repeat", 3, "--no-progress")
        self.assertEqual(done.stderr, "")
        self.assertIn("the same trajectory to the last bit", done.stdout)
        self.assertRegex(" ".join(done.stdout.split()), "particle-sized buffers of 240 bytes.* of malloc|particle-sized buffers.* as fast as malloc")

    def test_progress_is_one_line_a_run_when_nobody_watches(self):
        done = run("--iterations", 200, "--repeat", 2)
        self.assertEqual(len(done.stderr.splitlines()), 10)
        self.assertNotIn("\r", done.stderr)

    def test_wrong_usage_is_refused_by_name(self):
        for arguments, says in (
            (["--function", "sphre"], "sphre"),
            (["--particles", "0"], "--particles is 0"),
            (["--iterations", "12x"], "--iterations is 12x"),
            (["--seed", "-1"], "--seed is -1"),
            (["--variant", "jemalloc"], "jemalloc"),
            (["--evaluate", "1,two"], "coordinate 2"),
            (["extra"], "extra"),
            (["--matrix", "--particles", "1000000", "--dimensions", "1000"], "1 GiB"),
            (["--no-such"], "usage:"),
        ):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(says, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_a_file_that_cannot_be_written_is_refused_before_the_work(self):
        for option in ("--json", "--plot"):
            done = run("--iterations", 10, "--repeat", 1, option, "/nowhere/at/all")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"{option} is '/nowhere/at/all', which cannot be written (No such file", done.stderr)

    def test_interrupt_ends_it_with_130_and_says_where(self):
        command = [COMMAND, "run", "swarm", "--iterations", "2000", "--repeat", "1000"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              start_new_session=True) as running:
            first = running.stderr.readline()
            os.killpg(running.pid, signal.SIGINT)  # as a terminal does it: to all of them
            out, err = running.communicate(timeout=60)
        self.assertIn("swarm 1/5000 in-place", first)
        self.assertEqual((running.returncode, out), (130, ""))
        self.assertRegex(err.splitlines()[-1], r"interrupted in run \d+ of 5000")

    def test_help(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        for option in ("--function", "--particles", "--dimensions", "--iterations", "--seed", "--variant", "--matrix",
                       "--repeat", "--json", "--plot", "--no-progress", "--evaluate"):
            self.assertIn(option, done.stdout)


if __name__ == "__main__":
    unittest.main()
