#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The examples do what they say. LIDO_BUILD names the build folder."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

EXAMPLES = pathlib.Path(os.environ.get("LIDO_BUILD", "build/dev"), "examples")


def run(name, *arguments, **options):
    return subprocess.run(
        [EXAMPLES / name, *arguments], capture_output=True, text=True, timeout=120, check=False, **options
    )


class Simulation(unittest.TestCase):
    def checksums(self, done):
        return re.findall(r"step +(\d+)  checksum ([0-9a-f]{16})", done.stdout)

    def test_the_pool_changes_nothing_in_the_result(self):
        with_pool, without = run("simulation"), run("simulation", "--no-pool")
        self.assertEqual((with_pool.returncode, without.returncode), (0, 0), with_pool.stderr + without.stderr)
        seen = self.checksums(with_pool)
        self.assertEqual(seen, self.checksums(without))
        self.assertEqual([int(step) for step, _ in seen], list(range(1000, 10001, 1000)))
        self.assertEqual(len({checksum for _, checksum in seen}), 10, "the heater is switched: no state repeats")

    def test_every_health_check_sees_fifty_buffers(self):
        done = run("simulation", "3000")
        self.assertEqual(done.stdout.count("  50 buffers out"), 3)
        self.assertEqual(len(re.findall("  healthy$", done.stdout, re.M)), 3)
        self.assertNotIn("NOT", done.stdout)


class BlockPool(unittest.TestCase):
    def test_lines_come_back_in_reverse_in_groups_of_64(self):
        lines = [f"line {n}\n" for n in range(200)]
        done = run("block_pool", input="".join(lines))
        groups = [lines[at : at + 64] for at in range(0, 200, 64)]
        self.assertEqual(done.stdout, "".join(line for group in groups for line in reversed(group)))
        self.assertEqual(done.stderr, "201 buffers served by 64, refused 3 times\n")
        self.assertEqual(done.returncode, 0)

    def test_no_input_is_no_output(self):
        done = run("block_pool", input="")
        self.assertEqual((done.returncode, done.stdout), (0, ""))


class ObjectPool(unittest.TestCase):
    def test_four_threads_find_what_python_finds(self):
        expected = sum(1 for n in range(10000) if re.fullmatch("(1|2)*7", str(n)))
        done = run("object_pool")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "".join(f"thread {t}: {expected} matches\n" for t in range(4)))


class DensePool(unittest.TestCase):
    def test_the_spark_is_followed_until_it_goes_out(self):
        done = run("dense_pool")
        lines = done.stdout.splitlines()
        self.assertEqual((done.returncode, len(lines)), (0, 13), done.stderr)
        height, speed = 10.0, 0.5
        for tick in range(1, 12):
            speed -= 0.1
            height += speed
            self.assertEqual(lines[tick - 1], f"tick {tick}: at {height:.1f}")
        self.assertIn("stale: it was use 1 of slot 0", lines[11])
        self.assertTrue(lines[12].startswith("7001 lit, "))


class OwnResource(unittest.TestCase):
    def test_a_wrong_setting_is_refused_and_a_right_one_is_seen(self):
        done = run("own_resource")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("refused: queue \"outbox\": limit is 0, must be 1 to 10000\n", done.stdout)
        self.assertIn("limit was 100\n", done.stdout)
        self.assertIn("queue \"outbox\" limit = 50\n", done.stdout)


@unittest.skipUnless((EXAMPLES / "settings").exists(), "examples/settings was not built: inih is missing")
class Settings(unittest.TestCase):
    def apply(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
            file.write(text)
            file.flush()
            return run("settings", file.name)

    def test_the_values_for_production_are_within_all_bounds(self):
        done = run("settings", "share/production.ini")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for line in ("object_min = 4", "object_limit = 16", "target_utilisation = 75", "contention_threshold_ns = 3000000",
                     "sizing_interval_ns = 15000000000", "pressure_bytes = 400000000", "cleanup_interval_ns = 180000000000"):
            self.assertIn(line + "\n", done.stdout)
        self.assertEqual(done.stdout.count("\n"), 10)

    def test_what_went_before_a_wrong_set_is_undone(self):
        done = self.apply("[budget]\npressure_bytes = 1 MB\n[object_pool]\nobject_limit = 16\nobject_min = 17\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("object_min is 17, must not be above object_limit 16", done.stderr)
        self.assertIn("pressure_bytes = 400000000\n", done.stdout)
        self.assertIn("object_limit = 1\n", done.stdout)

    def test_a_wrong_line_changes_nothing_and_is_named(self):
        for line, told in (("sizing = perhaps", "is no value"), ("object_mim = 3", "has no object_mim"), ("nonsense", ":3:")):
            done = self.apply("[object_pool]\nobject_limit = 9\n" + line + "\n")
            self.assertEqual(done.returncode, 1)
            self.assertIn(told, done.stderr)
            self.assertIn(":3: nothing was changed", done.stderr)
            self.assertIn("object_limit = 1\n", done.stdout)

    def test_a_name_is_stronger_than_its_kind(self):
        done = self.apply("[object_pool]\nobject_limit = 9\n[object_pool parsers]\nobject_limit = 7\n[object_pool x]\nobject_limit = 5\n")
        self.assertEqual((done.returncode, done.stdout), (0, "object_limit = 7\n"))


class Ring(unittest.TestCase):
    def test_two_threads_find_the_primes_that_python_finds(self):
        expected = sum(1 for n in range(2, 10001) if all(n % d for d in range(2, int(n**0.5) + 1)))
        done = run("ring")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, f"{expected} primes\n10000 numbers passed through\n")


if __name__ == "__main__":
    unittest.main()
