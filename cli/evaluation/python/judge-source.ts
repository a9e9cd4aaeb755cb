// What runs a program's tests, in an interpreter that the program never enters. The functions of the program are stand-ins here that ask
// the program's own interpreter, and what comes back is rebuilt from plain data: no class, no builtin and no module that the program
// changed takes part in a comparison.

/** Python: defines `judge(text)`, which answers `{program, tests, entry, reference}` with `{kind, message}`; kind null is a pass. */
export const JUDGE_SOURCE = String.raw`
import ast
import builtins
import importlib
import json
import os
import sys
import traceback
import types

CHANNEL = 1000  # a file number that only the tests' interpreter has: what is written is asked, what is read is the answer


class ProgramError(Exception):
    """Something that the program raised, of a class that is not one of Python's own."""


class Verdict(BaseException):
    """Ends the run with an outcome."""

    def __init__(self, kind, message):
        self.outcome = {"kind": kind, "message": message}


class Remote:
    """An object of the program. It is equal to itself only: its own idea of equality is not asked."""

    def __init__(self, content, judge):
        object.__setattr__(self, "_content", content)
        object.__setattr__(self, "_judge", judge)

    def __call__(self, *args, **kwargs):
        return self._judge.ask("call_kept", self, args, kwargs)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._judge.ask("attribute", self, name)

    def __getitem__(self, key):
        return self._judge.ask("item", self, key)

    def __iter__(self):
        return iter(self._judge.ask("items", self))

    def __len__(self):
        return self._judge.ask("length", self)

    def __eq__(self, other):
        return isinstance(other, Remote) and self._content[0] == other._content[0]

    def __hash__(self):
        return hash(self._content[0])

    def __str__(self):
        return str(self._judge.ask("text", self))

    def __repr__(self):
        return f"({self._content[1]} of the program)"


def _one_line(text, limit=200):
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


class Judge:
    def __init__(self, request):
        self.request = request
        self.remotes = {}

    def handle(self, value):
        if isinstance(value, Remote):
            return {"h": value._content}
        if callable(value):
            raise Verdict("not judged", "needs a function as an argument of the program")
        raise Verdict("not judged", f"needs {type(value).__name__} as an argument of the program")

    def remote(self, content):
        number, name, is_callable = content
        return self.remotes.setdefault(int(number), Remote([int(number), str(name)[:80], bool(is_callable)], self))

    def ask(self, *request):
        os.write(CHANNEL, to_text(list(request), self.handle).encode())
        parts = []
        while part := os.read(CHANNEL, 1 << 20):
            parts.append(part)
        answer = json.loads(b"".join(parts))
        if not isinstance(answer, dict):
            raise Verdict("exception", "the program's interpreter answered with nonsense")
        if "error" in answer:
            raise self.error(answer)
        try:
            return unpack(answer["value"], self.remote)
        except Exception as problem:
            raise Verdict("exception", f"the program's answer cannot be read: {_one_line(problem)}")

    def error(self, answer):
        name, base, message = (str(part) for part in answer["error"])
        if answer.get("lacks") is True and self.program_imports_numpy():
            return Verdict("not judged", f"needs {_one_line(message)}")
        known = getattr(builtins, base, None)
        is_known = isinstance(known, type) and issubclass(known, Exception) and known not in (UnicodeDecodeError, UnicodeEncodeError)
        text = f"{name}: {message}" if message else name
        error = (known if is_known and not issubclass(known, BaseExceptionGroup) else ProgramError)(text)
        error.text_of_program = _one_line(text)
        error.is_memory = base == "MemoryError"
        return error

    def program_imports_numpy(self):
        for node in ast.walk(ast.parse(self.request["program"])):
            if isinstance(node, ast.Import) and any(one.name.split(".")[0] == "numpy" for one in node.names):
                return True
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numpy":
                return True
        return False

    def stand_in(self, name):
        def call(*args, **kwargs):
            return self.ask("call", name, args, kwargs)

        call.__name__ = call.__qualname__ = name
        return call

    def namespace(self, tests):
        """What the tests find: the set's own solution's names, but the function asked for, and classes, are the program's."""
        space = {"__name__": "tests", "__builtins__": builtins}
        module = types.ModuleType("tests")
        module.__dict__.update(space)
        sys.modules["tests"] = module
        space = module.__dict__
        if self.request.get("reference"):
            try:
                exec(compile(self.request["reference"], "reference.py", "exec"), space)
            except Exception:
                pass  # the set's own solution is only asked for its names
        entry = self.request.get("entry")
        for name, kind in self.ask("kinds", sorted(_names(tests))).items():
            own = space.get(name)
            is_asked = name == entry or own is None or isinstance(own, type)
            if kind == "function" and (is_asked or not entry):
                space[name] = self.stand_in(name)
            elif kind == "class" and is_asked:
                space[name] = self.stand_in(name) if name == entry else self.ask("value", name)
            elif kind == "value" and own is None:
                space[name] = self.ask("value", name)
            elif kind not in ("function", "class", "value") and own is None and kind.split(".")[0] in sys.stdlib_module_names:
                try:
                    space[name] = importlib.import_module(kind)
                except ImportError:
                    pass
        return space

    def run(self):
        request = self.request
        try:
            compile(request["program"], "program.py", "exec")
        except (SyntaxError, ValueError) as error:
            place = f"line {error.lineno}: " if getattr(error, "lineno", None) else ""
            raise Verdict("syntax", f"{type(error).__name__}: {place}{_one_line(getattr(error, 'msg', error))}")
        tests = compile(request["tests"], "tests.py", "exec")
        self.ask("run", request["program"])
        space = self.namespace(tests)
        if entry_missing := request.get("entry"):
            if entry_missing in _names(tests) and entry_missing not in self.ask("kinds", [entry_missing]):
                raise Verdict("exception", f"NameError: name {entry_missing!r} is not defined")
        exec(tests, space)


def _names(code):
    """All names that code uses, functions in it included."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _outcome(error, tests):
    if isinstance(error, Verdict):
        return error.outcome
    if isinstance(error, NotCovered):
        return {"kind": "not judged", "message": f"needs {_one_line(error)}"}
    if (text := getattr(error, "text_of_program", None)) is not None:
        if error.is_memory:
            return {"kind": "memory", "message": "out of memory"}
        return {"kind": "exception", "message": text}
    if isinstance(error, MemoryError):
        return {"kind": "not judged", "message": "needs more memory for its tests than they may take"}
    lines = tests.splitlines()
    place = next((frame.lineno for frame in reversed(traceback.extract_tb(error.__traceback__)) if frame.filename == "tests.py"), None)
    said = _one_line(error)
    if isinstance(error, AssertionError):
        line = _one_line(lines[place - 1], 120) if place is not None and place <= len(lines) else ""
        return {"kind": "assertion", "message": f"line {place} of the tests: {line}" + (f" ({said})" if said else "")}
    return {"kind": "exception", "message": f"{type(error).__name__}: {said}" if said else type(error).__name__}


def judge(text):
    request = json.loads(text)
    try:
        Judge(request).run()
    except BaseException as error:
        return json.dumps(_outcome(error, request["tests"]))
    return '{"kind":null}'
`;
