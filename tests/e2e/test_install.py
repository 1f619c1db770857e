#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is installed can be used: the program of README.md (C11) and tests/consumer (C++17) are built and
run against an installed tree, in the ways users do it: pkg-config, find_package, and the .deb.
Wants LIDO_BUILD, the folder of a finished build; CC and CXX choose the compilers."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LIDO_BUILD", ROOT / "build/dev"))
CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "c++")
STRICT = "-Wall -Wextra -Wpedantic -Werror".split()


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build_flags():
    """What the build was instrumented with, a program that links it needs too."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    return shlex.split(re.search(r"^CMAKE_C_FLAGS:\w+=(.*)$", cache, re.M).group(1))


def header_version():
    text = (ROOT / "include/lido/base.h").read_text()
    return ".".join(re.findall(r"#define LIDO_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text))


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = pathlib.Path(cls.folder.name)
        cls.prefix = cls.work / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        program = re.search(r"^```c\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M).group(1)
        cls.program = cls.work / "program.c"
        cls.program.write_text(program)
        cls.cpp = ROOT / "tests/consumer/consumer.cpp"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def environment(self, prefix):
        return {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"), "LD_LIBRARY_PATH": str(prefix / "lib")}

    def try_pkg_config(self, prefix):
        env = self.environment(prefix)
        cflags = shlex.split(run("pkg-config", "--cflags", "lido", env=env))
        libs = shlex.split(run("pkg-config", "--libs", "lido", env=env))
        static = [word.replace("-llido", "-l:liblido.a") for word in
                  shlex.split(run("pkg-config", "--static", "--libs", "lido", env=env))]
        languages = ((CC, "-std=c11", self.program), (CXX, "-std=c++17", self.cpp))
        for compiler, standard, source in languages:
            for kind in (libs, static):
                with self.subTest(standard=standard, libs=kind):
                    binary = self.work / "binary"
                    run(*shlex.split(compiler), standard, *STRICT, *build_flags(), *cflags, "-o", binary, source, *kind)
                    self.assertTrue(run(binary, env=env).strip())
        self.assertEqual(run("pkg-config", "--modversion", "lido", env=env).strip(), header_version())

    def test_pkg_config(self):
        self.try_pkg_config(self.prefix)

    def test_find_package(self):
        tree = self.work / "cmake"
        run("cmake", "-S", ROOT / "tests/consumer", "-B", tree, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DREADME_PROGRAM={self.program}", f"-DCMAKE_C_COMPILER={CC}", f"-DCMAKE_CXX_COMPILER={CXX}",
            f"-DCMAKE_C_FLAGS={shlex.join(build_flags())}", f"-DCMAKE_CXX_FLAGS={shlex.join(build_flags())}")
        run("cmake", "--build", tree)
        for name in ("c_lido", "c_static", "cpp_lido", "cpp_static"):
            with self.subTest(name=name):
                self.assertTrue(run(tree / name).strip())

    def test_installed_headers_are_the_public_ones(self):
        def names(folder):
            return sorted(str(file.relative_to(folder)) for file in folder.rglob("*.h"))
        self.assertEqual(names(self.prefix / "include"), names(ROOT / "include"))

    def test_shared_library_has_its_name_and_stays_loaded(self):
        dynamic = run("readelf", "-d", self.prefix / "lib/liblido.so")
        self.assertIn(f"liblido.so.{header_version().split('.')[0]}]", dynamic)
        self.assertIn("NODELETE", dynamic)

    def test_call_sites_tell_no_machine_path(self):
        if build_flags():
            self.skipTest("the instrumentation of this build keeps paths of its own")
        code = self.work / "code.so"
        run("objcopy", "--strip-debug", self.prefix / "lib/liblido.so", code)
        self.assertFalse(str(ROOT).encode() in code.read_bytes(), "the path of this machine is in liblido.so")

    @unittest.skipUnless(shutil.which("dpkg-deb"), "dpkg-deb is missing: no .deb can be made here")
    def test_debian_package(self):
        run("cpack", "-G", "DEB", "-B", self.work / "deb", cwd=BUILD)
        packages = list((self.work / "deb").glob("*.deb"))
        self.assertEqual(len(packages), 1, packages)
        self.assertEqual(run("dpkg-deb", "-f", packages[0], "Version").strip(), header_version())
        if shutil.which("dpkg-shlibdeps") and shutil.which("file"):
            self.assertIn("libc6", run("dpkg-deb", "-f", packages[0], "Depends"))
        unpacked = self.work / "unpacked"
        run("dpkg-deb", "-x", packages[0], unpacked)
        self.try_pkg_config(unpacked / "usr")


if __name__ == "__main__":
    if not (BUILD / "CMakeCache.txt").exists():
        print(f"skipped: {BUILD} holds no build; LIDO_BUILD names one")
        sys.exit(77)
    unittest.main()
