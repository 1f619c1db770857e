#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The second implementation of docs/inspect.md, on Python's own ast and tokenize.

It shares nothing with the C program but the page: two readings of one text that agree on thousands of files are
unlikely to be wrong in the same way. One pass over a file (read_file) collects facts; what needs more than one file is
put together afterwards (join). Clearness comes before speed here; two processes read the files.

    oracle.py DIR [--json FILE]      counts per kind, and all findings as JSON
"""
import argparse
import ast
import collections
import hashlib
import io
import json
import multiprocessing
import os
import re
import stat
import sys
import tokenize
import unicodedata
import warnings

KINDS = ("name", "type", "meaning", "position", "algorithm", "execution", "timing", "value")
STRENGTH = {kind: number for number, kind in enumerate(KINDS, 1)}
HEURISTIC = {"execution", "timing", "value"}
MAX_FILE_BYTES = 64 << 20
MIN_TOKENS = 30
MAX_DIGITS = 4300
LEFT_OUT_FOLDERS = {"site-packages", "__pycache__"}
PROTOCOLS = (("open", "close"), ("acquire", "release"), ("start", "join"), ("begin", "commit"))
CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
BLANK_OR_COMMENT = re.compile(rb"^[ \t\f]*(?:#.*)?$")
CONSTANT_NAME = re.compile(r"(?=.*[A-Z])[A-Z0-9_]{2,}\Z", re.ASCII)
STRING_PARTS = re.compile(r"([A-Za-z]*)('''|\"\"\"|'|\")(.*)\2\Z", re.DOTALL)
STAND_IN = re.compile(r"_as_written_([0-9a-f]+)_")

Place = collections.namedtuple("Place", "path line role function_name function_id")


class Finding(collections.namedtuple("Finding", "kind key places")):
    """Places that must agree. What the page derives from the places is derived here, too."""

    __slots__ = ()

    @property
    def identity(self):
        return self.kind, self.key, tuple(sorted((p.path, p.line, p.role) for p in self.places))

    @property
    def locality(self):
        paths = {place.path for place in self.places}
        if len(paths) == 1:
            functions = {place.function_id for place in self.places}
            return "function" if len(functions) == 1 and None not in functions else "module"
        return "package" if len({os.path.dirname(path) for path in paths}) == 1 else "project"


class Facts:
    """All that one file contributes. `reason` is None for a file that could be read."""

    def __init__(self, path):
        self.path = path
        self.bytes = 0
        self.reason = None
        self.definitions = {}   # top-level name -> Place
        self.imports = []       # (dots, module or "", name, bound name, Place)
        self.types = []         # (dotted name, Place)
        self.literals = []      # (literal, Place)
        self.long_functions = []  # (name, Place), at least four positional parameters
        self.long_calls = []    # (name, is attribute, Place)
        self.long_returns = []  # (function name, Place)
        self.unpacks = []       # (name, is attribute, Place)
        self.bodies = []        # (token count, digest, function name, Place)
        self.delays = []        # (literal with its integral value as an int, Place)
        self.constants = []     # (name, literal, Place)
        self.local = []         # findings complete within the file


# ---------------------------------------------------------------------------------------------- which files there are

def list_files(root, unreadable):
    """Yields (path, is a regular file) for everything below root that has the name of a Python file; folders that
    cannot be listed go to unreadable: path -> reason."""
    def failed(error):
        unreadable[os.path.relpath(error.filename, root)] = os.strerror(error.errno)

    for folder, folders, names in os.walk(root, onerror=failed):
        folders[:] = [f for f in folders if f not in LEFT_OUT_FOLDERS and not f.startswith(".")]
        for name in names:
            if not name.endswith(".py"):
                continue
            full = os.path.join(folder, name)
            mode = os.lstat(full).st_mode
            if not stat.S_ISLNK(mode):
                yield os.path.relpath(full, root), stat.S_ISREG(mode)


def path_order(path):
    return os.fsencode(path)


class Modules:
    """Module names of a set of files."""

    def __init__(self, root, paths):
        self._packages = {os.path.dirname(path) for path in paths if os.path.basename(path) == "__init__.py"}
        self._root_name = os.path.basename(os.path.realpath(root))
        self.file_of = {}
        for path in sorted(paths, key=path_order):
            self.file_of.setdefault(self.name(path), path)

    def package(self, path):
        """The packages around a file, outermost first."""
        names = []
        folder = os.path.dirname(path)
        while folder in self._packages:
            names.insert(0, os.path.basename(folder) if folder else self._root_name)
            if not folder:
                break
            folder = os.path.dirname(folder)
        return names

    def name(self, path):
        stem = os.path.basename(path)[:-len(".py")]
        return ".".join(self.package(path) + ([] if stem == "__init__" else [stem])) or "__init__"

    def resolve(self, path, dots, module):
        """The module that a `from` statement in the file at path means, or None."""
        if not dots:
            return module
        package = self.package(path)
        if dots > len(package):
            return None
        return ".".join(package[:len(package) - dots + 1] + ([module] if module else []))


# --------------------------------------------------------------------------------------------------- reading one file

def coding_name(data):
    """The coding that the first two lines declare, as written, or None."""
    for line in re.split(rb"\r\n|\n|\r", data[3:] if data.startswith(b"\xef\xbb\xbf") else data, maxsplit=2)[:2]:
        found = CODING.match(line)
        if found:
            return found.group(1).decode("ascii", "replace")
        if not BLANK_OR_COMMENT.match(line):
            return None
    return None


def is_utf8_name(name):
    plain = name.lower().replace("_", "-")
    return plain in ("utf-8", "utf8", "ascii", "us-ascii") or plain.startswith("utf-8-")


def source_text(data):
    """Decoded source with \n line ends, as Python's own parser sees it; raises ValueError with the reason."""
    coding = coding_name(data)
    if coding and not is_utf8_name(coding):
        raise ValueError(f"encoding {coding}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not valid UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def significant_tokens(text):
    keep = (tokenize.NAME, tokenize.NUMBER, tokenize.STRING, tokenize.OP)
    return [t for t in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline) if t.type in keep]


def protect_names(text):
    """Python's ast gives identifiers in NFKC form, the page wants them as written: those that differ get a stand-in
    of ASCII letters, one for each spelling, so that lines, equality and token counts stay what they are."""
    if text.isascii() or unicodedata.is_normalized("NFKC", text):
        return text
    lines = text.split("\n")
    for token in reversed(significant_tokens(text)):
        if token.type == tokenize.NAME and not unicodedata.is_normalized("NFKC", token.string):
            row, start, end = token.start[0] - 1, token.start[1], token.end[1]
            stand_in = f"_as_written_{token.string.encode().hex()}_"
            lines[row] = lines[row][:start] + stand_in + lines[row][end:]
    return "\n".join(lines)


def as_written(name):
    return STAND_IN.sub(lambda found: bytes.fromhex(found.group(1)).decode(), name)


def read_file(job):
    """Facts of one file. job: (root, path, is a regular file)."""
    root, path, regular = job
    facts = Facts(path)
    try:
        if not regular:
            raise ValueError("not a regular file")
        full = os.path.join(root, path)
        if os.stat(full).st_size > MAX_FILE_BYTES:
            raise ValueError("too large")
        with open(full, "rb") as stream:
            data = stream.read()
        facts.bytes = len(data)
        text = source_text(data)
    except FileNotFoundError:
        facts.reason = "vanished"
    except OSError as error:
        facts.reason = os.strerror(error.errno)
    except ValueError as error:
        facts.reason = str(error)
    else:
        analyse(facts, text)
    return facts


def analyse(facts, text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            text = protect_names(text)
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
            facts.reason = f"syntax error at line {getattr(error, 'lineno', None) or 0}"
            return
    Visit(facts, text, tree).run()


class Function:
    """A def while its file is visited."""

    def __init__(self, number, node):
        self.number = number
        self.name = node.name
        self.halves = collections.defaultdict(lambda: ([], []))  # (receiver, protocol) -> first and second halves


Half = collections.namedtuple("Half", "position place in_finally is_with")


class Visit:
    """One pass over the syntax tree of one file, all eight kinds at once."""

    def __init__(self, facts, text, tree):
        self.facts = facts
        self.tree = tree
        self.lines = text.split("\n")
        self.tokens = significant_tokens(text)
        self.token_at = {token.start: index for index, token in enumerate(self.tokens)}
        self.token_ending_at = {token.end: index for index, token in enumerate(self.tokens)}
        self.functions = []
        self.with_items = set()
        self.globals = collections.defaultdict(list)    # name -> places
        self.defaults = collections.defaultdict(list)
        self.identities = collections.defaultdict(list)

    def run(self):
        stack = [(self.tree, None, False)]
        while stack:
            node, function, in_finally = stack.pop()
            visit = getattr(self, "visit_" + type(node).__name__, None)
            if visit:
                visit(node, function, in_finally)
            stack.extend(self.children(node, function, in_finally))
        self.facts.imports.sort(key=lambda entry: entry[-1])
        self.facts.imports = [entry[:-1] for entry in self.facts.imports]
        self.finish_execution()
        self.finish_top_level()

    def children(self, node, function, in_finally):
        """Child nodes with the function and the `finally` they are in."""
        if isinstance(node, ast.JoinedStr):
            return
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            outside = set(map(id, node.decorator_list))
            inside = self.functions[-1]
            for child in ast.iter_child_nodes(node):
                yield (child, function, in_finally) if id(child) in outside else (child, inside, False)
        elif isinstance(node, (ast.Try, ast.TryStar)):
            last = set(map(id, node.finalbody))
            for child in ast.iter_child_nodes(node):
                yield child, function, in_finally or id(child) in last
        else:
            for child in ast.iter_child_nodes(node):
                yield child, function, in_finally

    # -- small helpers

    def place(self, line, role, function):
        if function is None:
            return Place(self.facts.path, line, role, None, None)
        return Place(self.facts.path, line, role, as_written(function.name), (self.facts.path, function.number))

    def column(self, line, byte_column):
        text = self.lines[line - 1]
        return byte_column if text.isascii() else len(text.encode()[:byte_column].decode())

    def start(self, node):
        return node.lineno, self.column(node.lineno, node.col_offset)

    def end(self, node):
        return node.end_lineno, self.column(node.end_lineno, node.end_col_offset)

    def text(self, node):
        """Source of a node without white space."""
        (first, begin), (last, end) = self.start(node), self.end(node)
        lines = self.lines[first - 1:last]
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][begin:]
        return re.sub(r"[ \t\r\n\f]", "", "\n".join(lines))

    def literal(self, node):
        """A value that is equal for same literals, or None if the node is no literal."""
        sign = 1
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            sign, node = -1, node.operand
            if not (isinstance(node, ast.Constant) and type(node.value) in (int, float, complex)):
                return None
        if not isinstance(node, ast.Constant):
            return None
        if type(node.value) is int and abs(node.value) >= 10 ** MAX_DIGITS:
            return None
        if type(node.value) in (int, float):
            return type(node.value).__name__, sign * node.value + 0  # -0.0 + 0 is 0.0
        if type(node.value) is complex:
            return "imaginary", sign * node.value.imag + 0
        if isinstance(node.value, (str, bytes)):
            token = self.tokens[self.token_at[self.start(node)]]
            if token.end != self.end(node):
                return None
            prefix, _, body = STRING_PARTS.match(token.string).groups()
            return type(node.value).__name__, body, "r" in prefix.lower() and "\\" in body
        return None

    @staticmethod
    def number(node):
        """Value of a real number literal, or None."""
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        node = node.operand if negative else node
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return -node.value if negative else node.value
        return None

    @staticmethod
    def callee(node):
        """(name, is attribute) of a call, or None."""
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                return node.func.id, False
            if isinstance(node.func, ast.Attribute):
                return node.func.attr, True
        return None

    # -- name

    def visit_Module(self, node, function, in_finally):
        for statement in node.body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = statement.name
                path, line = self.facts.path, statement.lineno
                is_class = isinstance(statement, ast.ClassDef)
                place = Place(path, line, "definition", None if is_class else as_written(name),
                              None if is_class else (path, "top", line))
                self.facts.definitions.setdefault(name, place)

    def visit_ImportFrom(self, node, function, in_finally):
        for alias in node.names:
            if alias.name != "*":
                self.facts.imports.append((node.level, node.module or "", alias.name, alias.asname or alias.name,
                                           self.place(alias.lineno, "import", function), self.start(alias)))

    # -- type

    def add_types(self, node, function):
        for name, line in type_names(node):
            self.facts.types.append((name, self.place(line, "type", function)))

    def visit_ExceptHandler(self, node, function, in_finally):
        if function and node.type:
            self.add_types(node.type, function)

    # -- meaning

    def add_literal(self, node, function):
        literal = self.literal(node)
        if function is None or literal is None or is_common(literal):
            return
        self.facts.literals.append((literal, self.place(node.lineno, "literal", function)))

    def visit_Return(self, node, function, in_finally):
        if node.value is None or function is None:
            return
        self.add_literal(node.value, function)
        if isinstance(node.value, ast.Tuple) and len(node.value.elts) >= 3:
            self.facts.long_returns.append((function.name, self.place(node.lineno, "return", function)))

    def visit_Compare(self, node, function, in_finally):
        operands = [node.left] + node.comparators
        for operand in operands:
            self.add_literal(operand, function)
        by_identity = set()
        for index, operator in enumerate(node.ops):
            if isinstance(operator, (ast.Is, ast.IsNot)):
                by_identity |= {index, index + 1}
        for index in by_identity:
            if isinstance(operands[index], ast.Name):
                self.identities[operands[index].id].append(
                    self.place(operands[index].lineno, "identity", function))

    # -- functions and calls: position, algorithm, and what else hangs on them

    def visit_FunctionDef(self, node, function, in_finally):
        inside = Function(len(self.functions), node)
        self.functions.append(inside)
        arguments = node.args
        if len(arguments.posonlyargs) + len(arguments.args) >= 4:
            self.facts.long_functions.append((node.name, self.place(node.lineno, "definition", inside)))
        every = arguments.posonlyargs + arguments.args + [arguments.vararg] + arguments.kwonlyargs + [arguments.kwarg]
        for argument in every:
            if argument and argument.annotation:
                self.add_types(argument.annotation, inside)
        if node.returns:
            self.add_types(node.returns, inside)
        self.add_defaults(arguments, inside)
        self.add_body(node, inside)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node, function, in_finally):
        self.add_defaults(node.args, function)

    def add_defaults(self, arguments, function):
        for default in arguments.defaults + arguments.kw_defaults:
            if isinstance(default, ast.Name):
                self.defaults[default.id].append(self.place(default.lineno, "default", function))

    def add_body(self, node, function):
        first = self.first_token(node.body[0])
        last = self.token_ending_at[self.end(node.body[-1])]
        if self.tokens[last].string == ";":  # ast lets a compound statement end with it
            last -= 1
        count = last - first + 1
        if count >= MIN_TOKENS:
            text = "\0".join([token.string for token in self.tokens[first:last + 1]])
            digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            self.facts.bodies.append((count, digest, as_written(node.name),
                                      self.place(node.lineno, "function", function)))

    def first_token(self, statement):
        """Index of a statement's first token; a decorated one begins at its first `@`."""
        decorators = getattr(statement, "decorator_list", None)
        if not decorators:
            return self.token_at[self.start(statement)]
        index = self.token_at[self.start(decorators[0])]
        while not self.begins_line_with_at(index):
            index -= 1
        return index

    def begins_line_with_at(self, index):
        token = self.tokens[index]
        return token.string == "@" and not token.line[:token.start[1]].strip()

    def visit_Call(self, node, function, in_finally):
        for argument in node.args + [keyword.value for keyword in node.keywords if keyword.arg]:
            self.add_literal(argument, function)
        callee = self.callee(node)
        if callee is None:
            return
        name, is_attribute = callee
        if sum(not isinstance(argument, ast.Starred) for argument in node.args) >= 4:
            self.facts.long_calls.append((name, is_attribute, self.place(node.lineno, "call", function)))
        if function is None:
            return
        if callee == ("isinstance", False) and len(node.args) >= 2:
            if not any(isinstance(argument, ast.Starred) for argument in node.args[:2]):
                self.add_types(node.args[1], function)
        self.add_delays(node, name, is_attribute, function)
        if is_attribute:
            self.add_method_half(node, name, function, in_finally)

    def visit_Assign(self, node, function, in_finally):
        callee = self.callee(node.value)
        if callee is None:
            return
        for target in node.targets:
            if isinstance(target, (ast.Tuple, ast.List)) and len(target.elts) >= 3:
                self.facts.unpacks.append(callee + (self.place(node.lineno, "unpack", function),))
            if function and callee == ("open", False):
                self.add_half(self.text(target), PROTOCOLS[0], 0, node.value, function, in_finally)

    def visit_AnnAssign(self, node, function, in_finally):
        if function and node.value and self.callee(node.value) == ("open", False):
            self.add_half(self.text(node.target), PROTOCOLS[0], 0, node.value, function, in_finally)

    # -- execution

    def visit_With(self, node, function, in_finally):
        self.with_items.update(id(item.context_expr) for item in node.items)

    visit_AsyncWith = visit_With

    def add_method_half(self, node, name, function, in_finally):
        for protocol in PROTOCOLS:
            if name in protocol:
                receiver = node.func.value
                is_string = isinstance(receiver, ast.JoinedStr) or (
                    isinstance(receiver, ast.Constant) and isinstance(receiver.value, (str, bytes)))
                if not is_string:
                    self.add_half(self.text(receiver), protocol, protocol.index(name), node, function, in_finally)

    def add_half(self, receiver, protocol, which, node, function, in_finally):
        place = self.place(node.lineno, ("first", "second")[which], function)
        half = Half(self.start(node), place, in_finally, id(node) in self.with_items)
        function.halves[receiver, protocol][which].append(half)

    def finish_execution(self):
        for function in self.functions:
            for (receiver, protocol), (first, second) in function.halves.items():
                if not first or not second:
                    continue
                wrong_order = min(h.position for h in second) < min(h.position for h in first)
                guarded = any(h.in_finally for h in second) or any(h.is_with for h in first)
                if wrong_order or not guarded:
                    self.facts.local.append(Finding("execution", f"{as_written(receiver)}.{'/'.join(protocol)}",
                                                    [half.place for half in first + second]))

    # -- timing

    def add_delays(self, node, name, is_attribute, function):
        delays = []
        if name == "sleep" or (name == "settimeout" and is_attribute):
            if len(node.args) == 1 and not node.keywords:
                delays = [node.args[0]]
        elif name in ("wait", "join") and is_attribute:
            delays = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
            if len(node.args) == 1:
                delays.append(node.args[0])
        for delay in delays:
            number = self.number(delay)
            if number is not None:
                real = float(str(number))  # infinite where float(number) would raise
                integral = real.is_integer() and abs(real) < 1 << 64
                literal = ("int", int(number)) if integral else ("float", real)
                self.facts.delays.append((literal, self.place(delay.lineno, "delay", function)))

    # -- value

    def visit_Global(self, node, function, in_finally):
        if function is None:
            return
        index = self.token_at[self.start(node)]
        for name in node.names:
            index += 1 if self.tokens[index].string == "global" else 2
            self.globals[name].append(self.place(self.tokens[index].start[0], "global", function))

    def finish_top_level(self):
        bound = collections.defaultdict(list)
        displays = collections.defaultdict(list)
        for statement in self.tree.body:
            if isinstance(statement, ast.Assign):
                targets = statement.targets
            elif isinstance(statement, ast.AnnAssign) and statement.value:
                targets = [statement.target]
            else:
                continue
            place = self.place(statement.lineno, "binding", None)
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            for name in names:
                bound[name].append(place)
                if is_display(statement.value):
                    displays[name].append(place)
            literal = self.literal(statement.value)
            if len(targets) == 1 and literal is not None:
                for name in filter(CONSTANT_NAME.match, names):
                    self.facts.constants.append((name, literal, place._replace(role="constant")))
        self.finish_bindings("global", bound, self.globals)
        self.finish_bindings("default", displays, self.defaults)
        self.finish_bindings("identity", bound, self.identities)

    def finish_bindings(self, what, bound, used):
        for name in bound.keys() & used.keys():
            self.facts.local.append(Finding("value", (what, as_written(name)), bound[name] + used[name]))


def type_names(node):
    """(dotted name, line) of every type named in an expression."""
    dotted = dotted_name(node)
    if dotted:
        yield dotted, node.lineno
    elif isinstance(node, ast.Subscript):
        yield from type_names(node.value)
        yield from type_names(node.slice)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from type_names(node.left)
        yield from type_names(node.right)
    elif isinstance(node, (ast.Tuple, ast.List)):
        for element in node.elts:
            yield from type_names(element)


def dotted_name(node):
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        front = dotted_name(node.value)
        return front and f"{front}.{node.attr}"
    return None


def is_common(literal):
    """Literals that say nothing by being equal."""
    if literal[0] == "int":
        return literal[1] in (0, 1, -1)
    return literal[0] in ("str", "bytes") and (literal[1] == "" or literal[:2] == ("str", "__main__"))


def literal_text(literal):
    """A literal as keys show it."""
    kind, value = literal[:2]
    if kind == "int":
        return str(value) if abs(value) < 1 << 64 else hex(value)
    if kind == "float":
        text = next(t for t in (f"{value:.{digits}g}" for digits in range(1, 18)) if float(t) == value)
        return text + ".0" if text.lstrip("-").isdigit() else text
    if kind == "imaginary":
        return literal_text(("float", value)) + "j"
    return ("b" if kind == "bytes" else "") + ("r" if literal[2] else "") + f"'{value}'"


def is_display(node):
    if isinstance(node, ast.Call):
        return (isinstance(node.func, ast.Name) and node.func.id in ("list", "dict", "set")
                and not node.args and not node.keywords)
    return isinstance(node, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp))


# ------------------------------------------------------------------------------------------- what needs several files

def grouped(pairs):
    groups = collections.defaultdict(list)
    for key, place in pairs:
        groups[key].append(place)
    return groups


def join_names(all_facts, modules):
    places = collections.defaultdict(list)
    for facts in all_facts.values():
        for dots, module, name, _, place in facts.imports:
            target = modules.file_of.get(modules.resolve(facts.path, dots, module))
            if target is not None and target != facts.path and name in all_facts[target].definitions:
                places[target, name].append(place)
    for (path, name), imports in places.items():
        yield Finding("name", f"{modules.name(path)}.{as_written(name)}", [all_facts[path].definitions[name]] + imports)


def join_in_functions(kind, pairs, show):
    """Equal things in at least two functions."""
    for key, places in grouped(pairs).items():
        if len({place.function_id for place in places}) >= 2:
            yield Finding(kind, show(key), places)


def join_positions(all_facts, modules):
    tables = [(collections.defaultdict(list), collections.defaultdict(list)) for _ in range(2)]
    for facts in all_facts.values():
        imported = {}
        for dots, module, name, bound, _ in facts.imports:
            target = modules.file_of.get(modules.resolve(facts.path, dots, module))
            if target is not None:
                imported.setdefault(bound, (target, name))
        for table, own, references in ((0, facts.long_functions, facts.long_calls),
                                       (1, facts.long_returns, facts.unpacks)):
            for name, place in own:
                tables[table][0][facts.path, name].append(place)
            for name, is_attribute, place in references:
                local = (facts.path, name)
                tables[table][1][local if is_attribute else imported.get(name, local)].append(place)
    for suffix, (defined, used) in zip(("()", "() ->"), tables):
        for path, name in defined.keys() & used.keys():
            yield Finding("position", f"{modules.name(path)}.{as_written(name)}{suffix}",
                          defined[path, name] + used[path, name])


def join_bodies(all_facts):
    groups = grouped(((count, digest), (name, place)) for facts in all_facts.values()
                     for count, digest, name, place in facts.bodies)
    for (count, _), members in groups.items():
        if len(members) >= 2:
            members.sort(key=lambda member: (path_order(member[1].path), member[1].line))
            yield Finding("algorithm", f"{count} tokens of {members[0][0]}", [place for _, place in members])


def join_constants(all_facts):
    groups = grouped(((name, literal), place) for facts in all_facts.values()
                     for name, literal, place in facts.constants)
    for (name, literal), places in groups.items():
        if len({place.path for place in places}) >= 2:
            yield Finding("value", f"constant {as_written(name)} = {literal_text(literal)}", places)


def join(all_facts, modules):
    """All findings of a tree, in no particular order."""
    every = all_facts.values()
    yield from join_names(all_facts, modules)
    yield from join_in_functions("type", (pair for facts in every for pair in facts.types), as_written)
    yield from join_in_functions("meaning", (pair for facts in every for pair in facts.literals), literal_text)
    yield from join_positions(all_facts, modules)
    yield from join_bodies(all_facts)
    yield from join_in_functions("timing", (pair for facts in every for pair in facts.delays), literal_text)
    yield from join_constants(all_facts)
    for facts in every:
        for finding in facts.local:
            if finding.kind == "value":
                what, name = finding.key
                finding = finding._replace(key=f"{what} {modules.name(facts.path)}.{name}")
            yield finding


class Result:
    """files: path -> (bytes, reason or None); findings: list of Finding."""

    def __init__(self, all_facts, modules, unreadable):
        self.files = {facts.path: (facts.bytes, facts.reason) for facts in all_facts.values()}
        self.files.update((path, (0, reason)) for path, reason in unreadable.items())
        self.findings = list(join(all_facts, modules))

    def counts(self):
        counted = collections.Counter(finding.kind for finding in self.findings)
        return {kind: counted[kind] for kind in KINDS}


def inspect(root, processes=2):
    """The findings that the page defines for the tree below root."""
    unreadable = {}
    jobs = [(root, path, regular) for path, regular in list_files(root, unreadable)]
    jobs.sort(key=lambda job: -os.lstat(os.path.join(root, job[1])).st_size)
    sys.set_int_max_str_digits(0)
    if len(jobs) < 100:
        read = [read_file(job) for job in jobs]
    else:
        with multiprocessing.Pool(processes) as pool:
            read = pool.map(read_file, jobs, chunksize=8)
    all_facts = {facts.path: facts for facts in read}
    modules = Modules(root, [path for _, path, regular in jobs if regular])
    return Result(all_facts, modules, unreadable)


def main():
    parser = argparse.ArgumentParser(description="Counts what docs/inspect.md defines, by Python's own ast and tokenize.")
    parser.add_argument("dir")
    parser.add_argument("--json", metavar="FILE", help="write every finding with its places")
    arguments = parser.parse_args()
    result = inspect(arguments.dir)
    for kind, count in result.counts().items():
        print(f"{kind:10} {count:8}")
    failed = {path: reason for path, (_, reason) in result.files.items() if reason}
    print(f"{len(result.files)} files, {len(failed)} not read, "
          f"{sum(len(finding.places) for finding in result.findings)} places")
    if arguments.json:
        rows = [{"kind": f.kind, "key": f.key, "strength": STRENGTH[f.kind], "locality": f.locality,
                 "places": sorted([p.path, p.line, p.role, p.function_name or ""] for p in f.places)}
                for f in result.findings]
        rows.sort(key=lambda row: (row["kind"], row["places"]))
        with open(arguments.json, "w", encoding="utf-8") as stream:
            json.dump({"failed": failed, "findings": rows}, stream, indent=1, ensure_ascii=True)


if __name__ == "__main__":
    main()
