#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`lido bench` keeps its contract: names, exit status, and the shape and arithmetic of its JSON. How
quick anything is, no test asks. Wants LIDO, the command, with its benches beside it."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIDO = pathlib.Path(os.environ.get("LIDO", ROOT / "build/dev/lido"))
NAIVE = {"mutex and list", "mutex and condition variable"}


def bench(*words):
    return subprocess.run([str(LIDO), "bench", *words], capture_output=True, text=True, check=False, timeout=300)


class BenchTest(unittest.TestCase):
    def setUp(self):
        if not LIDO.exists():
            self.skipTest(f"{LIDO} was not built")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "results.json"

    def results(self, *words, slow=False):
        rounds = [] if "--rounds" in words else ["--rounds", "2"]
        quick = [] if slow else ["--quick"]
        done = bench(*words, *rounds, *quick, "--no-progress", "--json", str(self.file))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done, json.loads(self.file.read_text())

    def test_an_unknown_name_is_wrong_usage_and_lists_what_there_is(self):
        done = bench("block_pool", "no_such_bench")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no_such_bench", done.stderr)
        self.assertIn("block_pool, ", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_an_unknown_option_and_a_missing_value_are_wrong_usage(self):
        for words in (["--no-such-option"], ["--rounds"], ["--json"], ["block_pool", "--fast"]):
            done = bench(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("usage: lido bench", done.stderr)

    def test_rounds_that_are_no_number_or_out_of_range_are_wrong_usage(self):
        for rounds in ("0", "many", "1000"):
            done = bench("object_pool", "--rounds", rounds)
            self.assertEqual(done.returncode, 2, rounds)
            self.assertIn(f"--rounds is '{rounds}', must be a number from 1", done.stderr)

    def test_a_text_that_no_case_holds_is_wrong_usage_and_measures_nothing(self):
        for names in ([], ["ring"]):
            done = bench(*names, "--only", "no such case", "--no-progress")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("no case's name holds the text of --only", done.stderr)

    def test_a_peer_that_no_bench_has_is_refused_and_the_peers_are_named(self):
        done = bench("object_pool", "ring", "--against", "aprr", "--no-progress")
        self.assertEqual(2, done.returncode)
        self.assertEqual("", done.stdout)
        lines = done.stderr.splitlines()
        self.assertEqual(2, len(lines), done.stderr)
        self.assertRegex(lines[0], "^bench object_pool: --against is 'aprr', must be part of a peer's name: .*apr_reslist")
        self.assertRegex(lines[1], "^bench ring: --against is 'aprr', .*rte_ring")

    def test_a_file_that_cannot_be_written_is_refused_before_the_work(self):
        done = bench("object_pool", "--quick", "--rounds", "1", "--only", "1 thread", "--against", "mutex",
                     "--json", "no/such/folder/x.json")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("no/such/folder/x.json", done.stderr)

    def test_progress_is_a_line_for_each_case_where_no_terminal_is(self):
        done = bench("object_pool", "--quick", "--rounds", "1", "--only", "1 thread", "--against", "mutex")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"^bench object_pool, case \d+ of \d+: .*1 thread.*, rounds: 1\n$")

    def test_who_interrupts_keeps_what_was_measured(self):
        process = subprocess.Popen([str(LIDO), "bench", "object_pool", "ring", "--quick", "--rounds", "1", "--against", "mutex",
                                    "--json", str(self.file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = " "
        while line and "best peer" not in line:  # the first results are written before their table
            line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
        self.assertEqual(process.returncode, 130)
        results = json.loads(self.file.read_text())
        self.assertGreater(len(results), 0)
        self.assertEqual({result["bench"] for result in results}, {"object_pool"})

    def test_results_have_the_keys_and_the_arithmetic_of_the_contract(self):
        done, results = self.results("block_pool", "--only", "pair 64 B, threads: 1")
        self.assertEqual({r["case"] for r in results},
                         {"pair 64 B, threads: 1, lido static", "pair 64 B, threads: 1, lido shared"})
        for result in results:
            self.assertEqual(result["bench"], "block_pool")
            self.assertEqual(result["unit"], "ns per acquire+release")
            self.assertEqual(result["rounds"], 2)
            self.assertIn("glibc malloc", result["peers"])
            self.assertTrue(result["peers"]["glibc malloc"]["version"].startswith("glibc 2."))
            for figures in [result["lido"], *result["peers"].values()]:
                self.assertTrue(0 < figures["min"] <= figures["median"] <= figures["max"], figures)
            best = min(p["median"] for name, p in result["peers"].items() if name not in NAIVE)
            naive = result["peers"]["mutex and list"]["median"]
            self.assertAlmostEqual(result["ratio_to_best"], result["lido"]["median"] / best, delta=0.01 * result["ratio_to_best"])
            self.assertAlmostEqual(result["ratio_to_naive"], result["lido"]["median"] / naive, delta=0.01 * result["ratio_to_naive"])
        self.assertIn("lido static / best peer", done.stdout)

    def test_a_ratio_is_null_where_no_peer_is(self):
        for against in ("mutex", "apr"):
            _, results = self.results("object_pool", "--only", "8 on 4", "--against", against, "--rounds", "1")
            self.assertEqual(len(results), 2)
            for result in results:
                good = set(result["peers"]) - NAIVE
                self.assertEqual(result["ratio_to_best"] is None, not good, result)

    def test_only_the_peers_that_were_asked_for_take_part_in_tables_of_120_columns(self):
        done, results = self.results("object_pool", "--only", "8 on 8", "--against", "condition", "--rounds", "1")
        self.assertEqual({name for r in results for name in r["peers"]}, {"mutex and condition variable"})
        self.assertNotIn("apr", done.stdout)
        for line in done.stdout.splitlines():
            self.assertLessEqual(len(line), 120, line)

    def test_a_peer_that_is_not_here_is_named_with_a_way_out_and_is_no_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            here = pathlib.Path(folder) / "peers"
            here.mkdir()
            for file in (LIDO.parent / "bench" / "peers").glob("object_lido_*"):
                (here / file.name).symlink_to(file)
            program = pathlib.Path(folder) / "bench_object_pool"
            shutil.copy2(LIDO.parent / "bench" / program.name, program)
            done = subprocess.run([str(program), "--quick", "--rounds", "1", "--only", "2 on 2", "--no-progress"],
                                  capture_output=True, text=True, check=False, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        for peer in ("apr_reslist", "HikariCP", "commons-pool2", "r2d2", "Go sync.Pool", "mutex and condition variable"):
            self.assertRegex(done.stdout, re.escape(peer) + r" +missing: not built; `make bench`")
        self.assertRegex(done.stdout, r"lido static / best peer( +-)+\n")

    def test_what_threads_wait_for_is_three_figures_of_the_same_runs(self):
        _, results = self.results("object_pool", "--only", "8 on 4, holds of 1 us", "--against", "mutex", "--rounds", "1", slow=True)
        cases = {r["case"]: r for r in results}
        self.assertEqual(len(cases), 6)
        for result in results:
            self.assertIn("mutex and condition variable", result["peers"])
            self.assertEqual(set(result["variants"]), {"lido strict", "lido unordered"})
        share = cases["share of acquires that waited, 8 on 4, holds of 1 us, lido static"]
        for figures in [share["lido"], *share["peers"].values()]:
            self.assertTrue(0 <= figures["min"] <= figures["max"] <= 100, figures)

    def test_the_results_of_several_benches_are_one_array(self):
        # Both have a case for a process with one thread: "..., only thread" and "..., one thread".
        _, results = self.results("object_pool", "lock", "--only", ", on", "--rounds", "1", "--against", "mutex")
        self.assertEqual({r["bench"] for r in results}, {"object_pool", "lock"})

    def test_scaling_compares_with_one_thread_and_stops_at_the_processors_there_are(self):
        done, results = self.results("scaling", "--only", "dense_pool", "--rounds", "1")
        processors = int(re.search(r"dense_pool, (\d+) processors", done.stdout)[1])
        self.assertLessEqual(processors, len(os.sched_getaffinity(0)))
        threads = [result["threads"] for result in results]
        self.assertEqual(threads[0], 1)
        self.assertEqual(threads, sorted(set(threads)))
        self.assertLessEqual(threads[-1], processors)
        self.assertIn("not measured", done.stdout)
        alone = results[0]["lido"]["median"]
        for result in results:
            for figures in [result["lido"], *result["peers"].values()]:
                self.assertAlmostEqual(figures["per_second"] * figures["median"], 1e9, delta=1e5)
            efficiency = alone / result["lido"]["median"] / result["threads"]
            self.assertAlmostEqual(result["lido"]["efficiency"], efficiency, delta=0.001 * efficiency)

    def test_with_one_processor_scaling_measures_one_thread(self):
        allowed = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, allowed)
        os.sched_setaffinity(0, {min(allowed)})
        done, results = self.results("scaling", "--only", "mutex, each its own", "--rounds", "1")
        self.assertEqual([result["threads"] for result in results], [1])
        self.assertRegex(done.stdout, r"lido lock +[\d.]+ ±[ \d]+% +not measured")

    def test_a_steady_pool_makes_no_system_call_and_no_fault(self):
        cache = LIDO.parent / "CMakeCache.txt"
        if cache.exists() and "-fsanitize" in cache.read_text():
            self.skipTest("a sanitizer's own memory grows and faults")
        _, results = self.results("block_pool", "--only", "steady state")
        self.assertEqual({r["case"]: r["lido"]["max"] for r in results},
                         {"steady state faults 64 B, lido static": 0, "steady state system calls 64 B, lido static": 0})


if __name__ == "__main__":
    unittest.main(verbosity=2)
