import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleWorker, type BundledWorker } from "../bundled-worker.ts";
import { NOT_JUDGED } from "../outcome.ts";
import { openSandbox, type Sandbox } from "../sandbox.ts";
import type { Program } from "../task.ts";
import { findPyodide, INSTALL_PYODIDE } from "./find-pyodide.ts";
import { nodeFlags } from "./node-flags.ts";

// Each program costs two copies of the interpreter, so that a test asks for much with one.
let worker: BundledWorker;
let sandbox: Sandbox;
beforeAll(async () => {
  worker = await bundleWorker("python/python-worker");
  sandbox = openSandbox({ pythonWorkerUrl: worker.url, limits: { timeMs: 60_000, memoryBytes: 64 << 20 } });
});
afterAll(async () => {
  await sandbox.dispose();
  worker.remove();
});

const program = (source: string, tests: string, more: Partial<Program> = {}): Program => ({
  language: "python",
  source,
  check: { kind: "script", source: tests },
  entryPoint: "f",
  ...more,
});

describe("a program in Python", () => {
  it("passes if its tests do, with values of every kind", async () => {
    const source = `
from collections import Counter, namedtuple, defaultdict, OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
import array, datetime, math
Point = namedtuple("Point", "x y")
class Pair:
    def __init__(self, a, b): self.a, self.b = a, b
def gen(n):
    for i in range(n): yield i
def f(x): return x
def g(name):
    return {"point": Point(1, 2), "counter": Counter("aab"), "gen": gen(3), "map": map(str, [1]), "keys": {"a": 1}.keys(),
        "deque": deque([1]), "ordered": OrderedDict(a=1), "nan": math.nan, "none": None}[name]
def total(pairs): return sum(p.a * p.b for p in pairs)
`;
    const tests = `
import datetime, math
from collections import Counter, deque, OrderedDict
from decimal import Decimal
from fractions import Fraction
for value in (None, True, 0, -1, 10 ** 40, -(2 ** 53), 1.5, math.inf, 1j, "é\\ud800", b"\\x00", bytearray(b"a"), [], (), (1,), [(1, [2])],
    {1, 2}, frozenset("a"), {(1, 2): {"a": [None]}, 1: "b"}, range(3), Decimal("1.10"), Fraction(1, 3), datetime.date(2020, 1, 2),
    datetime.timedelta(1, 2), deque([1], 2), OrderedDict(a=1), int, 0.1 + 0.2):
    got = f(value)
    assert got == value and type(got) is type(value), (got, value)
assert f(True) is True and f(1) is not True and f(None) is None and math.copysign(1, f(-0.0)) == -1
assert g("point") == (1, 2) and g("counter") == Counter("aab") and list(g("gen")) == [0, 1, 2] and list(g("map")) == ["1"]
assert g("keys") == {"a"} and math.isnan(g("nan")) and g("none") is None
assert total([Pair(1, 2), Pair(3, 4)]) == 14 and Pair(5, 6).b == 6
try:
    g("missing")
    assert False
except KeyError:
    pass
`;
    expect(await sandbox.run(program(source, tests))).toEqual({ passed: true });
  });

  it("is called with arguments of its own, by tests that use the set's own names", async () => {
    const reference =
      "import math\ndef poly(xs, x): return sum(c * math.pow(x, i) for i, c in enumerate(xs))\ndef f(xs): return 1\n";
    const tests =
      "given = [1, 2]\nassert f(given) == 3 and given == [1, 2]\nassert poly([1, 1], 2) == 3\nassert math.floor(1.5) == 1\n";
    const source = "def poly(xs, x): return 0\ndef f(xs):\n    xs.append(3)\n    return len(xs)\n";
    expect(await sandbox.run(program(source, tests, { reference }))).toEqual({ passed: true });
  });

  it.each<[string, string, string, string, RegExp]>([
    ["answers wrongly", "def f(x): return 3", "x = 1\nassert f(x) == 2", "assertion", /^line 2 of the tests: assert f\(x\) == 2$/],
    ["raises", "def f(x): return [][x]", "f(1)", "exception", /^IndexError: list index out of range$/],
    ["does not parse", "def f(x:", "f(1)", "syntax", /^SyntaxError: line 1: /],
    ["does not define it", "def g(x): return 1", "f(1)", "exception", /^NameError: name 'f' is not defined$/],
    ["equals everything", "class A:\n def __eq__(self, o): return True\ndef f(x): return A()", "assert f(1) == 2", "assertion", /^line 1/],
    ["leaves", "import os\ndef f(x): os._exit(0)", "f(1)", "exception", /^ended the interpreter$/],
    ["imports JavaScript", "import js", "f(1)", "exception", /^ModuleNotFoundError: No module named 'js'$/],
    ["writes a file", "open('/tmp/x', 'w')", "f(1)", "exception", /^OSError: .*Read-only/],
  ])("fails if it %s", async (_, source, tests, kind, message) => {
    const outcome = await sandbox.run(program(source, tests));
    expect(outcome).toEqual({ passed: false, kind, message: expect.stringMatching(message) });
  }); // prettier-ignore

  it("finds a stand-in for numpy, and is not judged by what that lacks", async () => {
    const tests = `
import numpy as np
for args, want in ((([1.0, 2.0], [1.0, 2.0 + 1e-9]), True), ((1.0, 1.1), False), (([1.0, 1.0], 1), True), (((1, [2]), 1), None), (("a", "a"), None),
    ((float("nan"), float("nan")), False), ((float("inf"), float("inf")), True), (([], []), True), (([[1], [2]], [[1], [2]]), True)):
    try:
        got = np.allclose(*args)
    except (TypeError, ValueError):
        got = None
    assert got is want, (args, got)
assert np.allclose(1.0, 1.05, rtol=0, atol=0.1) and not isinstance([1.0], np.ndarray) and float != np.float32
assert f(1) == 2
`;
    expect(await sandbox.run(program("import numpy as np\ndef f(x): return x + int(np.isclose(1, 1))", tests))).toEqual(
      { passed: true },
    );
    const lacking = { passed: false, kind: NOT_JUDGED, message: "needs numpy.zeros" };
    expect(await sandbox.run(program("def f(x): return 2", "import numpy\nassert f(1) == numpy.zeros(1)"))).toEqual(
      lacking,
    );
    expect(await sandbox.run(program("import numpy as np\ndef f(x): return np.zeros(x)", tests))).toEqual(lacking);
    // Without the import it is a trick.
    const trick = "import sys\ndef f(x): return getattr(sys.modules['nu' + 'mpy'], 'zeros')";
    expect(await sandbox.run(program(trick, tests))).toMatchObject({ passed: false, kind: "exception" });
  });
});

describe("the process", () => {
  it("is told by Node what it may read, under the name that this Node has for it", () => {
    const read = ["--allow-fs-read=/a", "--allow-fs-read=/b"];
    expect(nodeFlags(["/a", "/b"], new Set(["--experimental-permission"]))).toEqual(
      expect.arrayContaining(["--experimental-permission", ...read]),
    );
    const both = nodeFlags(["/a", "/b"], new Set(["--experimental-permission", "--permission"]));
    expect(both).toEqual(expect.arrayContaining(["--permission", ...read]));
    expect(both).not.toContain("--experimental-permission");
    expect(nodeFlags(["/a"], new Set()).join()).not.toContain("fs-read");
  });

  it("needs pyodide, and says how to install it", () => {
    expect(() => findPyodide([new URL("file:///nowhere/package.json")])).toThrow(
      `tasks in Python run in the package pyodide, which is not installed: \`${INSTALL_PYODIDE}\``,
    );
    expect(INSTALL_PYODIDE).toMatch(/^npm install pyodide@\d+\.\d+\.\d+$/);
  });
});
