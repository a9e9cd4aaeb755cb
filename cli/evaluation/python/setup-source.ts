// What is run once, before the interpreter's memory is copied: every program begins with that copy.

import { GUEST_SOURCE } from "./guest-source.ts";
import { JUDGE_SOURCE } from "./judge-source.ts";
import { NUMPY_SOURCE } from "./numpy-stand-in.ts";
import { WIRE_SOURCE } from "./wire.ts";

/** Modules that programs often import: they are read once. */
const PRELOADED = [
  ...["abc", "array", "ast", "bisect", "cmath", "collections", "collections.abc", "copy", "dataclasses", "datetime"],
  ...["decimal", "enum", "fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "os"],
  ...["random", "re", "statistics", "string", "sys", "time", "traceback", "types", "typing", "unicodedata"],
];

/** Python: leaves `guest` and `judge` in the namespace `space`, and nothing of pyodide where a program finds it. */
export const SETUP_SOURCE = `
import builtins, gc, importlib, sys

for _name in ${JSON.stringify(PRELOADED)}:
    importlib.import_module(_name)

space = {"__name__": "kedge", "__builtins__": builtins}
for _source in ${JSON.stringify([NUMPY_SOURCE, WIRE_SOURCE, GUEST_SOURCE, JUDGE_SOURCE])}:
    exec(compile(_source, "kedge.py", "exec"), space)
guest, judge = space["make_guest"](), space["judge"]
addresses = [id(guest), id(judge)]
sys.modules["numpy"] = space["numpy_stand_in"]()

_foreign = {"js", "pyodide", "pyodide_js", "_pyodide", "_pyodide_core", "_pyodide_js"}
sys.meta_path[:] = [one for one in sys.meta_path if getattr(one, "__module__", type(one).__module__).startswith(("_frozen", "importlib")) or isinstance(one, type)]
for _name in [one for one in sys.modules if one.split(".")[0] in _foreign]:
    del sys.modules[_name]
sys.modules["_pyodide_core"] = None  # it is compiled in: importing it would make it anew
importlib.import_module("os").environ.clear()
sys.excepthook, sys.displayhook = sys.__excepthook__, sys.__displayhook__
sys.setrecursionlimit(1000)
`;
