#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`lido run arena` against a second implementation: the page docs/arena.md, written in Python.

LIDO names the command. Nothing here depends on how fast the machine is.
"""
import json
import os
import pathlib
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree

COMMAND = os.environ.get("LIDO", "build/dev/lido")
MASK = (1 << 64) - 1
VARIANTS = {"malloc", "free-list", "array", "bitmap", "lido"}


# ---- The second implementation: lists, and nothing about memory ------------------------------------


def single(x):
    """Rounded to the nearest float of 32 bits."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def bits(x):
    return struct.unpack("<I", struct.pack("<f", x))[0]


def mix(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


class Kind:
    def __init__(self, number, cap, policy, least, span, gravity, drag):
        self.number, self.cap, self.policy, self.least, self.span = number, cap, policy, least, span
        self.gravity, self.drag = single(gravity), single(drag)
        self.live, self.ids, self.dropped, self.refused = [], 0, 0, 0


class Entity:
    def sum(self):
        words = [bits(v) for v in self.position + self.speed]
        total = mix((self.id << 32 | self.age) & MASK)
        for i in (0, 2, 4):
            total = mix(total ^ (words[i] << 32 | words[i + 1]))
        return total


class World:
    def __init__(self, seed):
        self.seed, self.tick, self.events = seed, 0, 0
        self.bullet = Kind(0, 8192, "grow", 30, 55, 0.002, 0.999)
        self.effect = Kind(1, 9000, "refuse", 30, 31, -0.001, 0.95)
        self.number = Kind(2, 2000, "drop oldest", 30, 31, -0.01, 0.9)
        self.casing = Kind(3, 12000, "drop oldest", 90, 61, 0.02, 0.98)
        self.kinds = [self.bullet, self.effect, self.number, self.casing]

    def chance(self, kind, number):
        number &= MASK
        return mix((self.seed + (number * 4 + kind.number) * 0x9E3779B97F4A7C15) & MASK)

    def spawn(self, kind, position):
        kind.ids += 1
        if kind.policy == "refuse" and len(kind.live) == kind.cap:
            kind.refused += 1
            return
        if kind.policy == "drop oldest" and len(kind.live) == kind.cap:
            kind.live.pop(0)
            kind.dropped += 1
        chance = self.chance(kind, kind.ids)
        entity = Entity()
        entity.id, entity.age, entity.position = kind.ids, 0, list(position)
        entity.life = kind.least + (chance >> 48) % kind.span
        entity.speed = [((chance >> 16 * i & 0xFFFF) - 32768) / 32768 for i in range(3)]
        kind.live.append(entity)
        self.events = (self.events + entity.sum()) & MASK

    def step(self, kind, entity):
        entity.speed[2] = single(entity.speed[2] - kind.gravity)
        for i in range(3):
            entity.speed[i] = single(entity.speed[i] * kind.drag)
            entity.position[i] = single(entity.position[i] + entity.speed[i])
        entity.age += 1
        return entity.age < entity.life

    def sweep(self, kind):
        over = [entity for entity in kind.live if not self.step(kind, entity)]
        kind.live = [entity for entity in kind.live if entity.age < entity.life]
        for entity in over:
            self.events = (self.events + entity.sum()) & MASK
        return over

    def shoot(self, count):
        for i in range(count):
            muzzle = [float(self.tick % 512), float(i % 64), 1.0]
            self.spawn(self.bullet, muzzle)
            self.spawn(self.casing, muzzle)

    def play(self):
        self.tick += 1
        over = [self.sweep(kind) for kind in self.kinds][0]
        for bullet in sorted(over, key=lambda entity: entity.id):
            if self.chance(self.bullet, ~bullet.id) % 19 < 8:
                self.spawn(self.effect, bullet.position)
                self.spawn(self.number, bullet.position)
        self.shoot(60)
        if self.tick % 120 == 0:
            self.shoot(4000)
        if self.tick % 600 == 0:
            for _ in range(8000):
                self.spawn(self.effect, [float(self.tick % 511), 32.0, 8.0])

    def checksum(self):
        total = mix(self.events)
        for kind in self.kinds:
            total = mix(total ^ (sum(entity.sum() for entity in kind.live) & MASK))
        return total


# ---- The command -----------------------------------------------------------------------------------


def run(*arguments, **options):
    return subprocess.run(
        [COMMAND, "run", "arena", *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False, **options
    )


def run_json(*arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "arena.json")
        done = run(*arguments, "--no-progress", "--json", path)
        assert done.returncode == 0, done.stderr
        return json.loads(path.read_text())


class Worlds(unittest.TestCase):
    def test_the_world_is_that_of_the_python_game(self):
        for seed, ticks in ((42, 1), (0, 45), (7, 122)):
            world = World(seed)
            for _ in range(ticks):
                world.play()
            with self.subTest(seed=seed, ticks=ticks):
                given = run_json("--ticks", ticks, "--seed", seed, "--repeat", 1)
                self.assertEqual(given["checksum"], f"{world.checksum():016x}")
                for variant in given["variants"].values():
                    live = [kind["live"] for kind in variant["kinds"].values()]
                    self.assertEqual(live, [len(kind.live) for kind in world.kinds])

    def test_variants_agree_for_every_seed_and_seeds_differ(self):
        seen = set()
        for seed in range(4):
            given = run_json("--ticks", 800, "--seed", seed, "--repeat", 1)
            self.assertTrue(given["equal"] and given["adds_up"] and given["peaks_agree"])
            self.assertEqual(set(given["variants"]), VARIANTS)
            seen.add(given["checksum"])
        self.assertEqual(len(seen), 4)

    def test_caps_hold_and_what_came_has_gone_or_lives(self):
        given = run_json("--ticks", 1300, "--repeat", 1)
        counted = ("spawned", "ended", "dropped", "refused", "live", "live_peak")
        caps = {"effects": 9000, "damage numbers": 2000, "casings": 12000}
        first = given["variants"]["malloc"]["kinds"]
        for name, variant in given["variants"].items():
            for kind, figures in variant["kinds"].items():
                with self.subTest(variant=name, kind=kind):
                    self.assertEqual([figures[key] for key in counted], [first[kind][key] for key in counted])
                    self.assertEqual(figures["spawned"] - figures["ended"] - figures["dropped"], figures["live"])
                    self.assertLessEqual(figures["live_peak"], caps.get(kind, figures["live_peak"]))
        self.assertEqual(first["casings"]["live_peak"], 12000)
        self.assertGreater(first["casings"]["dropped"], 0)
        self.assertGreater(first["damage numbers"]["dropped"], 0)
        self.assertGreater(first["effects"]["refused"], 0)
        self.assertEqual(first["bullets"]["refused"] + first["bullets"]["dropped"], 0)

    def test_pools_make_few_objects_and_fault_no_more_once_warm(self):
        given = run_json("--ticks", 2600, "--repeat", 1, "--variant", "lido", "--variant", "malloc")
        lido = given["variants"]["lido"]
        for kind in lido["kinds"].values():
            pool = kind["pool"]
            self.assertEqual(pool["acquired"], kind["spawned"])
            self.assertEqual(pool["dropped"], kind["dropped"])
            self.assertEqual(pool["live_peak"], kind["live_peak"])
            self.assertEqual(pool["grown"], 0)
        self.assertGreater(given["reuse"], 0.9)
        self.assertGreater(lido["creations_avoided"], 0.7)
        self.assertEqual(given["variants"]["malloc"]["creations_avoided"], 0)
        self.assertLess(lido["resident_peak_bytes"], 500e6)
        if given["sanitizer"]:
            self.skipTest("faults: a sanitizer adds memory of its own")
        self.assertEqual(lido["page_faults_warm"], 0)


class Output(unittest.TestCase):
    def test_json_has_the_documented_keys(self):
        page = pathlib.Path(__file__).parents[2].joinpath("docs/arena.md").read_text()
        given = run_json("--ticks", 130, "--repeat", 2)
        variant = given["variants"]["lido"]
        kind = variant["kinds"]["bullets"]
        for key in (*given, *variant, *kind, *kind["pool"], *variant["total_s"]):
            self.assertIn(f"`{key}`", page)
        for figures in given["variants"].values():
            spread = figures["tick_p50_us"]
            self.assertTrue(0 < spread["min"] <= spread["median"] <= spread["max"])
        self.assertEqual(given["variants"]["array"]["p50_ratio_to_array"], {"median": 1, "min": 1, "max": 1})
        alone = run_json("--ticks", 10, "--variant", "malloc")
        self.assertEqual((alone["reuse"], alone["p50_to_array"], alone["p999_to_malloc"]), (None, None, None))
        self.assertEqual((alone["rounds"], alone["ticks"], alone["seed"]), (3, 10, 1))

    def test_plot_is_xml_with_two_curves_a_variant_inside_the_frame(self):
        for ticks in (1, 7, 500):
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "plot.svg")
                done = run("--ticks", ticks, "--repeat", 1, "--plot", path, "--no-progress")
                self.assertEqual(done.returncode, 0, done.stderr)
                root = ElementTree.parse(path).getroot()
            name = "{http://www.w3.org/2000/svg}"
            curves = [p.get("points").split() for p in root.iter(name + "polyline")]
            self.assertEqual(len(curves), 2 * len(VARIANTS))
            for curve in curves:
                self.assertEqual(len(curve), min(ticks, 240))
                for point in curve:
                    x, y = map(float, point.split(","))
                    self.assertTrue(80 <= x <= 830 and 64 <= y <= 496, point)
            text = " ".join(t.text for t in root.iter(name + "text"))
            for word in ("tick", "log scale", *VARIANTS):
                self.assertIn(word, text)

    def test_progress_is_one_line_a_run_when_nobody_watches(self):
        done = run("--ticks", 20, "--repeat", 2, "--variant", "lido", "--variant", "array")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.splitlines()), 4)
        self.assertNotIn("\r", done.stderr)
        self.assertIn("the same world in every tick", done.stdout)
        self.assertEqual(run("--ticks", 20, "--variant", "lido", "--no-progress").stderr, "")


    def test_a_measure_is_a_number_a_round_and_nothing_else(self):
        for figure in ("p50", "p99", "p999"):
            done = run("--ticks", 50, "--repeat", 4, "--variant", "lido", "--measure", figure, "--no-progress")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(len(done.stdout.splitlines()), 4)
            self.assertTrue(all(float(line) > 0 for line in done.stdout.splitlines()))


class Usage(unittest.TestCase):
    def test_wrong_usage_is_2_and_named(self):
        for arguments, part in (
            (["--ticks", "0"], "--ticks is 0"),
            (["--ticks", "1000001"], "--ticks is 1000001"),
            (["--seed", "-1"], "--seed is -1"),
            (["--repeat", "x"], "--repeat is x"),
            (["--variant", "stack"], "--variant is stack"),
            (["--measure", "mean", "--variant", "lido"], "--measure is mean"),
            (["--measure", "p50"], "one --variant"),
            (["--what"], "--what"),
            (["here"], "'here' is no option"),
        ):
            with self.subTest(arguments=arguments):
                done = run(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertEqual(done.stdout, "")
                self.assertIn(part, done.stderr)

    def test_help_is_on_stdout(self):
        done = run("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("usage: lido run arena", done.stdout)

    def test_a_file_that_cannot_be_written_is_refused_before_the_work(self):
        for option in ("--json", "--plot"):
            done = run("--ticks", 10, "--repeat", 1, option, "/nowhere/at/all", "--no-progress")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"{option} is '/nowhere/at/all', which cannot be written (No such file", done.stderr)

    def test_ctrl_c_ends_it_with_130_and_a_line(self):
        command = [COMMAND, "run", "arena", "--ticks", "1000000", "--variant", "malloc"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as game:
            children = pathlib.Path(f"/proc/{game.pid}/task/{game.pid}/children")
            while not children.read_text().split():
                self.assertIsNone(game.poll())
                time.sleep(0.01)
            os.killpg(game.pid, signal.SIGINT)
            out, err = game.communicate(timeout=60)
        self.assertEqual(game.returncode, 130)
        self.assertEqual(out, "")
        self.assertIn("interrupted in run 1 of 3", err)


if __name__ == "__main__":
    unittest.main()
