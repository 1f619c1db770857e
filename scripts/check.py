#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rules of the house that a script can hold. Every message says file:line, the rule, the way out.

    scripts/check.py                                 all rules that need no build
    scripts/check.py --library build/dev/liblido.so  and: what the library exports is what the headers declare

Reads the files that git tracks or would track; needs python3 alone, and a C and a C++ compiler for
the rule about headers. Exit status 0: all hold, 1: some do not, 2: wrong usage.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Layers, low to high; a folder of src/ that is not named here is a capability.
RANK = {"base": 0, "registry": 1, "budget": 2, "lease": 3}
CAPABILITY_RANK = 4
# The monitor sees capabilities through the registry's panel only, so it stands beside them.
MONITOR_MAY = {"monitor", "base", "registry"}
# Public headers that live in another folder of src/.
HEADER_HOME = {"panel": "registry", "block_figures": "block_pool", "object_figures": "object_pool", "object_leases": "object_pool"}
SIDEWAYS = {("object_pool", "block_pool"), ("cache", "block_pool")}
PROGRAMS = ("tools", "workloads", "bench", "examples", "connectors")
TESTS_OF_THE_INSIDE = ("tests/unit", "tests/stress", "tests/explore", "tests/faults", "tests/fuzz")

LINE_LIMITS = {"public header": 300, "CMakeLists.txt": 250, "file": 800}
FUNCTION_LIMIT = 60

BANNED = {
    "strcpy": "snprintf or memcpy with a known length",
    "strcat": "snprintf",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "getline",
    "atoi": "strtol, and look at errno and the end pointer",
    "atol": "strtol, and look at errno and the end pointer",
    "alloca": "an array of fixed size, or the heap",
    "rand": "a generator of your own with its seed printed",
    "system": "posix_spawn with an argument vector",
    "signal": "sigaction",
    "strtok": "strchr or strspn",
}
SYSTEM_CALLS = """malloc calloc realloc reallocarray free posix_memalign aligned_alloc memalign strdup strndup
    mmap munmap mremap madvise mprotect msync clock_gettime gettimeofday nanosleep clock_nanosleep usleep
    syscall futex membarrier open openat close read write pread pwrite fopen fclose getrandom gettid
    sysconf pthread_create pthread_atfork pthread_key_create pthread_setspecific""".split()
SYSTEM_CALL_HOME = "src/base/sys.c"
ATOMIC_HOME = "src/base/atomic.h"

# Written in parts, so that this file holds to its own rules.
MACHINE_PATH = re.compile(r"(?<![\w.$}/])/(?:" + "|".join(("ro" + "ot", "ho" + "me", "wo" + "rk", "tm" + "p/wt")) + r")(?=/|\b(?![\w.-]))")
REGISTRY_HOST = re.compile(
    r"registry\.[a-z0-9-]+\.(?:org|com|net|io|dev)|(?:deb|snapshot)\." + r"debian\.org|python" + r"hosted\.org|\.pkg\." + r"dev\b"
)
OPEN_END = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|X" + r"XX)\b")


class Source:
    """One tracked text file: its text, its lines, and its C code without comments and string contents."""

    def __init__(self, root, path):
        self.path = path
        self.text = (root / path).read_text(encoding="utf-8", errors="replace")
        self.lines = self.text.split("\n")
        if self.lines and self.lines[-1] == "":
            self.lines.pop()
        self.is_c = path.endswith((".c", ".h"))
        self.is_public_header = path.startswith("include/") and path.endswith(".h")
        self.code = blank_comments_and_strings(self.text) if self.is_c else ""

    def below(self, *folders):
        return any(self.path.startswith(folder + "/") for folder in folders)


def blank_comments_and_strings(text):
    """Replaces comments and what stands in quotes by spaces; line numbers and columns stay."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[-1]
        return re.sub(r"[^\n]", " ", found)

    return token.sub(blank, text)


def blank_preprocessor(code):
    """Replaces #-lines, with their continuations, by empty ones."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Report:
    def __init__(self):
        self.count = 0

    def add(self, path, line, rule, way_out):
        self.count += 1
        print(f"{path}:{line}: {rule}; {way_out}")


# ---- Layers -----------------------------------------------------------------------------------


def rank(folder):
    return RANK.get(folder, CAPABILITY_RANK)


def edge_allowed(source, target):
    if source == target:
        return True
    if source == "monitor":
        return target in MONITOR_MAY
    if (source, target) in SIDEWAYS:
        return True
    return target != "monitor" and rank(target) < rank(source)


def included(source):
    """Yields (line number, True when in quotes, name) of every #include."""
    for number, line in enumerate(source.lines, 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def folder_of_public(name):
    stem = pathlib.PurePosixPath(name).stem
    return HEADER_HOME.get(stem, stem)


def check_library_layers(root, source, report):
    own = source.path.split("/")[1] if source.below("src") else folder_of_public(source.path)
    if source.is_public_header and own == "lido":
        return
    for line, quoted, name in included(source):
        if quoted:
            beside = root / pathlib.PurePosixPath(source.path).parent / name
            target = own if beside.exists() else name.split("/")[0]
        elif name.startswith("lido/"):
            target = folder_of_public(name)
            if target == "lido":
                report.add(source.path, line, "layers: the library includes lido/lido.h", "include the one header needed")
                continue
        else:
            continue
        if not edge_allowed(own, target):
            report.add(source.path, line, f"layers: {own} must not include {target} ({name})",
                       "dependencies point down: monitor -> registry, capabilities -> lease -> registry -> base; "
                       "move what both need into a lower layer")


def check_program_layers(root, source, report):
    for line, quoted, name in included(source):
        beside = root / pathlib.PurePosixPath(source.path).parent / name
        inside = "src/" in name or (quoted and not beside.exists() and (root / "src" / name).exists())
        if inside:
            report.add(source.path, line, f"layers: a program includes the inside of the library ({name})",
                       "programs and connectors include <lido/...> only")
        elif quoted and name.startswith("lido/"):
            report.add(source.path, line, f'layers: public header in quotes ("{name}")', f"write <{name}>")


def check_layers(root, sources, report):
    for source in sources:
        if not source.is_c:
            continue
        if source.below("src") or source.is_public_header:
            check_library_layers(root, source, report)
        elif source.below(*PROGRAMS) or (source.below("tests") and not source.below(*TESTS_OF_THE_INSIDE)
                                         and source.path.count("/") > 1):
            check_program_layers(root, source, report)


# ---- Public names -----------------------------------------------------------------------------


def public_functions(sources):
    """Returns {name: (path, line)} of every function that a public header declares."""
    found = {}
    for source in sources:
        if not source.is_public_header:
            continue
        for match in re.finditer(r"\bLIDO_API\b([^;{]*?)\b([A-Za-z_]\w*)\s*\(", blank_preprocessor(source.code)):
            found[match.group(2)] = (source.path, line_of(source.code, match.start(2)))
    return found


def top_level_statements(code):
    """Yields (offset, text) of what stands between semicolons outside all braces."""
    depth, start = 0, 0
    for offset, letter in enumerate(code):
        if letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
        elif letter == ";" and depth == 0:
            text = code[start:offset]
            yield start + len(text) - len(text.lstrip()), text.strip()
            start = offset + 1


def declared_names(source):
    """Yields (offset, name, prefix it must have) for macros, types, enumerators and functions."""
    for match in re.finditer(r"^[ \t]*#[ \t]*define[ \t]+(\w+)(\(?)", source.code, re.M):
        yield match.start(1), match.group(1), "lido_" if match.group(2) and match.group(1).islower() else "LIDO_"
    code = blank_preprocessor(source.code)
    for match in re.finditer(r"\b(?:struct|union|enum)\s+([A-Za-z_]\w*)", code):
        yield match.start(1), match.group(1), "lido_"
    for match in re.finditer(r"\benum\b[^{;]*\{([^}]*)\}", code):
        for constant in re.finditer(r"(?:^|,)\s*([A-Za-z_]\w*)", match.group(1)):
            yield match.start(1) + constant.start(1), constant.group(1), "LIDO_"
    for offset, text in top_level_statements(code):
        if text.startswith("typedef"):
            name = re.search(r"\(\s*\*\s*(\w+)\s*\)", text) if not text.rstrip().endswith("}") and "{" not in text else None
            name = name or re.search(r"(\w+)\s*$", text)
            yield offset, name.group(1), "lido_"


def check_public_names(sources, report):
    for source in sources:
        if not source.is_public_header:
            continue
        for offset, name, prefix in declared_names(source):
            if not name.startswith(prefix):
                report.add(source.path, line_of(source.code, offset), f"public names: {name}",
                           f"what a public header declares begins with {prefix}")
        code = blank_preprocessor(source.code)
        for offset, text in top_level_statements(code):
            text = re.sub(r"^(?:LIDO_BEGIN|LIDO_END|\s)+", "", text)
            if text.startswith("typedef") or "(" not in text or text.startswith("extern"):
                continue
            if "LIDO_API" not in text:
                report.add(source.path, line_of(code, offset), "public names: a function without LIDO_API",
                           "put LIDO_API in front, or declare it in a header of src/")
        for name, (path, line) in public_functions([source]).items():
            if not name.startswith("lido_") or name.startswith("lido__"):
                report.add(path, line, f"public names: {name}", "a public function is named lido_<capability>_<verb>")


def check_exports(sources, library, report):
    """What the shared library exports is what the public headers declare, neither more nor less."""
    declared = public_functions(sources)
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        report.add(library, 1, "exports: the library cannot be read", listed.stderr.strip() or "build it first")
        return
    exported = {fields[-1].split("@")[0] for fields in map(str.split, listed.stdout.splitlines())
                if len(fields) == 3 and fields[1] != "A"}
    # What a compiler's own instrumentation adds is not ours.
    exported = {name for name in exported if not name.startswith(("__asan", "__ubsan", "__odr", "__gcov", "__tsan"))}
    for name in sorted(exported - declared.keys()):
        report.add(library, 1, f"exports: {name} is exported and stands in no public header",
                   "declare it with LIDO_API, or make it static or lido__ and hidden")
    for name in sorted(declared.keys() - exported):
        path, line = declared[name]
        report.add(path, line, f"exports: {name} is declared and the library does not export it",
                   "implement it, or take the declaration back")


def check_version(sources, report):
    """The version of the header is the newest that CHANGELOG.md tells about."""
    header = next((s for s in sources if s.path == "include/lido/base.h"), None)
    log = next((s for s in sources if s.path == "CHANGELOG.md"), None)
    if header is None or log is None:
        return
    numbers = re.findall(r"#define LIDO_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header.text)
    version = ".".join(numbers)
    headings = [(n, line) for n, line in enumerate(log.lines, 1) if re.match(r"## \d", line)]
    if not headings or not headings[0][1].startswith(f"## {version}"):
        report.add(log.path, headings[0][0] if headings else 1, f"version: base.h says {version}",
                   f'the first heading of a version must be "## {version} ..."')


# ---- Calls ------------------------------------------------------------------------------------


def calls(code, names):
    """Yields (offset, name) where one of the names is called; members (x.free, x->free) are not meant."""
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
    for match in pattern.finditer(code):
        yield match.start(1), match.group(1)


def defines_itself(code, name):
    return re.search(r"^static\b[^;{}()]*\b" + name + r"\s*\(", code, re.M) is not None


def check_calls(sources, report):
    for source in sources:
        if not source.is_c:
            continue
        code = blank_preprocessor(source.code)
        for offset, name in calls(code, BANNED):
            if re.match(r"signal\s*\([^,()]+,\s*SIG_(?:DFL|IGN)\s*\)", code[offset:offset + 80]):
                continue  # what is banned is a handler whose life differs from system to system
            report.add(source.path, line_of(code, offset), f"banned call: {name}", f"use {BANNED[name]}")
        # Tests keep a variable over a longjmp, or an access that nothing needs; products have no use for it.
        for match in re.finditer(r"\bvolatile\b", "" if source.below("tests") else source.code):
            if not re.search(r"\b(?:asm|__asm__)\s+$", source.code[: match.start()][-16:]):
                report.add(source.path, line_of(source.code, match.start()), "banned word: volatile",
                           f"it orders nothing; use {ATOMIC_HOME}")
        # Programs cannot include atomic.h, and tests/explore puts operations of its own in its place.
        inside = source.below("src", "include", "tests/unit", "tests/stress")
        if inside and source.path != ATOMIC_HOME:
            for match in re.finditer(r"stdatomic\.h|\b__atomic_\w+|\b__sync_\w+|\batomic_\w+_explicit", source.code):
                report.add(source.path, line_of(source.code, match.start()), f"atomics: {match.group(0)}",
                           'include "base/atomic.h" and use its operations')
        if source.below("src") and source.path != SYSTEM_CALL_HOME:
            for offset, name in calls(code, SYSTEM_CALLS):
                if not defines_itself(code, name):
                    report.add(source.path, line_of(code, offset), f"system call: {name}",
                               f"only {SYSTEM_CALL_HOME} calls the system, so that tests can make each call fail; go through base/sys.h")


# ---- Sizes ------------------------------------------------------------------------------------


def functions(source):
    """Yields (name, first line, number of lines) of every function body."""
    code = blank_preprocessor(source.code)
    depth, start = 0, 0
    current = None
    for offset, letter in enumerate(code):
        if letter == "{":
            if depth == 0:
                head = code[start:offset]
                match = re.search(r"\b([A-Za-z_]\w*)\s*\([^{}=]*\)\s*(?:__attribute__\s*\(\(.*?\)\)\s*)?$", head, re.S)
                if match and "=" not in head:
                    first = start + len(head) - len(head.lstrip())
                    current = (match.group(1), line_of(code, first))
            depth += 1
        elif letter == "}":
            depth = max(0, depth - 1)
            if depth == 0:
                if current:
                    yield current[0], current[1], line_of(code, offset) - current[1] + 1
                current = None
                start = offset + 1
        elif letter == ";" and depth == 0:
            start = offset + 1


def check_sizes(sources, report):
    for source in sources:
        name = source.path.rsplit("/", 1)[-1]
        kind = "public header" if source.is_public_header else name if name in LINE_LIMITS else "file"
        counted = source.is_c or name == "CMakeLists.txt" or source.path.endswith((".py", ".sh", ".js"))
        if counted and len(source.lines) > LINE_LIMITS[kind]:
            report.add(source.path, len(source.lines), f"size: {len(source.lines)} lines, a {kind} has at most {LINE_LIMITS[kind]}",
                       "split it where it holds two ideas")
        if source.is_c:
            for function, line, lines in functions(source):
                if lines > FUNCTION_LIMIT:
                    report.add(source.path, line, f"size: {function} has {lines} lines, a function at most {FUNCTION_LIMIT}",
                               "name its parts")


# ---- Text -------------------------------------------------------------------------------------


def wants_licence(source):
    name = source.path.rsplit("/", 1)[-1]
    return (source.path.endswith((".c", ".h", ".py", ".cpp", ".hpp", ".in", ".map", ".scm", ".sh", ".js", ".css"))
            or name in ("Makefile", "CMakeLists.txt") or source.text.startswith("#!"))


def is_data(source):
    """A corpus is input for tests: others wrote it, or it is wrong on purpose."""
    return "/corpus/" in source.path


def check_text(sources, report):
    for source in sources:
        if not is_data(source) and wants_licence(source) and not any("SPDX-License-Identifier: MIT" in line for line in source.lines[:3]):
            report.add(source.path, 1, "licence: no SPDX line", 'open the file with "SPDX-License-Identifier: MIT" in a comment')
        for number, line in enumerate(source.lines, 1):
            if MACHINE_PATH.search(line):
                report.add(source.path, number, f"machine path: {MACHINE_PATH.search(line).group(0)}",
                           "find the place at run time, or give it relative to the repository")
            if REGISTRY_HOST.search(line) or (source.path.endswith("package-lock.json") and '"resolved"' in line):
                report.add(source.path, number, "registry address", "name the package; which registry serves it is the machine's setting "
                           "(npm: omit-lockfile-registry-resolved=true)")
            if OPEN_END.search(line) and not is_data(source):
                report.add(source.path, number, f"open end: {OPEN_END.search(line).group(0)}", "do it, or write an issue")


# ---- Headers alone ----------------------------------------------------------------------------

STRICT = "-fsyntax-only -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Werror".split()


def check_headers(root, sources, report):
    """Every public header compiles as the only one, and twice, in C11 and in C++17."""
    compilers = [("cc", "c11", ".c"), ("c++", "c++17", ".cpp")]
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            if not source.is_public_header:
                continue
            name = source.path[len("include/"):]
            for compiler, standard, suffix in compilers:
                if shutil.which(compiler) is None:
                    report.add(source.path, 1, f"headers: no compiler {compiler}", "scripts/setup test brings it")
                    continue
                program = pathlib.Path(folder) / ("alone" + suffix)
                program.write_text(f"#include <{name}>\n#include <{name}>\n", encoding="utf-8")
                run = subprocess.run([compiler, f"-std={standard}", *STRICT, f"-I{root / 'include'}", str(program)],
                                     capture_output=True, text=True, check=False)
                if run.returncode != 0:
                    first = next((l for l in run.stderr.splitlines() if "error" in l), run.stderr.strip())
                    report.add(source.path, 1, f"headers: {name} alone does not compile as {standard}", first)


# ---- The whole --------------------------------------------------------------------------------


def tracked(root):
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True, check=True).stdout
    for path in sorted(set(filter(None, listed.split("\0")))):
        file = root / path
        if file.is_file() and not file.is_symlink() and b"\0" not in file.read_bytes()[:8192]:
            yield Source(root, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent,
                        help="the repository (default: the one this script lies in)")
    parser.add_argument("--library", help="liblido.so, to compare its exports with the public headers")
    options = parser.parse_args()
    sources = list(tracked(options.root))
    report = Report()
    check_layers(options.root, sources, report)
    check_public_names(sources, report)
    check_calls(sources, report)
    check_sizes(sources, report)
    check_text(sources, report)
    check_version(sources, report)
    check_headers(options.root, sources, report)
    if options.library:
        check_exports(sources, options.library, report)
    print(f"check.py: {len(sources)} files, {report.count} findings")
    return 1 if report.count else 0


if __name__ == "__main__":
    sys.exit(main())
