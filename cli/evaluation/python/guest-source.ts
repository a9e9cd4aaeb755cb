// What runs beside a program in its own interpreter: it runs the program and makes the calls that the tests ask for. A program can change
// all of this. That changes nothing but the values that it answers, since the tests run elsewhere (judge-source.ts).

/** Python: defines `guest(text)`, which answers a request with JSON. */
export const GUEST_SOURCE = String.raw`
import json
import operator
import sys
import types


class Guest:
    def __init__(self):
        self.module = types.ModuleType("program")
        self.kept = []

    def keep(self, value):
        self.kept.append(value)
        kind = type(value)
        return {"h": [len(self.kept) - 1, kind.__name__, callable(value)]}

    def kept_value(self, content):
        return self.kept[content[0]]

    def run(self, source):
        sys.modules["program"] = self.module
        exec(compile(source, "program.py", "exec"), self.module.__dict__)
        return None

    def kinds(self, names):
        found = {}
        for name in names:
            if name in self.module.__dict__:
                value = self.module.__dict__[name]
                if isinstance(value, types.ModuleType):
                    found[name] = value.__name__
                else:
                    found[name] = "class" if isinstance(value, type) else "function" if callable(value) else "value"
        return found

    def value(self, name):
        return self.module.__dict__[name]

    def call(self, name, args, kwargs):
        return self.module.__dict__[name](*args, **kwargs)

    def call_kept(self, value, args, kwargs):
        return value(*args, **kwargs)

    def attribute(self, value, name):
        return getattr(value, name)

    def item(self, value, key):
        return operator.getitem(value, key)

    def items(self, value):
        return list(value)

    def length(self, value):
        return len(value)

    def text(self, value):
        return str(value)


def _error(error):
    kind = type(error)
    base = next((one.__name__ for one in kind.__mro__ if one.__module__ == "builtins"), "Exception")
    try:
        message = str(error)[:300]
    except BaseException:
        message = "(its message cannot be read)"
    return {"error": [kind.__name__, base, message], "lacks": kind is NotCovered}


def make_guest():
    own = Guest()

    def guest(text):
        try:
            name, *args = from_text(text, own.kept_value)
            return json.dumps({"value": pack(getattr(own, name)(*args), own.keep)}, separators=(",", ":"))
        except BaseException as error:
            return json.dumps(_error(error))

    return guest
`;
