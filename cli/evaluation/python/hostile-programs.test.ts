// Programs in Python that hang, hoard, cheat or look for the host: each is a counted failure, and the next program runs.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleWorker, type BundledWorker } from "../bundled-worker.ts";
import type { FailureKind, Outcome } from "../outcome.ts";
import { openSandbox, type Sandbox } from "../sandbox.ts";
import type { Program } from "../task.ts";

let worker: BundledWorker;
let sandbox: Sandbox;
/** For programs that do not end by themselves. */
let hasty: Sandbox;
beforeAll(async () => {
  worker = await bundleWorker("python/python-worker");
  sandbox = openSandbox({ pythonWorkerUrl: worker.url, limits: { timeMs: 60_000, memoryBytes: 64 << 20 } });
  hasty = openSandbox({ pythonWorkerUrl: worker.url, limits: { timeMs: 1500 } });
});
afterAll(async () => {
  await Promise.all([sandbox.dispose(), hasty.dispose()]);
  worker.remove();
});

const program = (source: string, tests = "assert f(1) == 2", entryPoint = "f"): Program => ({
  language: "python",
  source,
  check: { kind: "script", source: tests },
  entryPoint,
});
const run = (source: string, tests?: string): Promise<Outcome> => sandbox.run(program(source, tests));
const failed = (kind: FailureKind, message: RegExp): object => ({
  passed: false,
  kind,
  message: expect.stringMatching(message),
});
const right = "def f(x):\n    return x + 1\n";

describe("a program that answers wrongly", () => {
  // Each tries to make its answer, 9, pass for 2.
  const cheats: readonly [string, string][] = [
    ["an object that equals everything", "class Any:\n def __eq__(self, o): return True\n def __hash__(self): return 2\ndef f(x): return Any()"],
    ["an int that equals everything", "class Any(int):\n def __eq__(self, o): return True\n __hash__ = int.__hash__\ndef f(x): return Any(9)"],
    ["sys.exit(0)", "import sys\ndef f(x): sys.exit(0)"],
    ["os._exit(0) at once", "import os\nos._exit(0)"],
    ["SystemExit at once", "raise SystemExit(0)"],
    ["a check of its own", "def check(*a): return True\ndef f(x): return 9\nassertion = check"],
    ["builtins changed", "import builtins\nfor n in ('all', 'any', 'len', 'isinstance', 'abs', 'eval', 'exec', 'compile'): setattr(builtins, n, lambda *a, **k: True)\ndef f(x): return 9"],
    ["AssertionError changed", "import builtins\nbuiltins.AssertionError = type('Fine', (BaseException,), {})\n__debug__\ndef f(x): return 9"],
    ["a numpy of its own", "import sys, types\nn = types.ModuleType('numpy')\nn.allclose = lambda *a, **k: True\nsys.modules['numpy'] = n\nimport numpy\nnumpy.allclose = n.allclose\ndef f(x): return 9"],
    ["atexit", "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 9"],
    ["a trace function", "import sys\ndef t(frame, *a):\n  frame.f_locals['x'] = 1\n  return t\nsys.settrace(t); sys.setprofile(t)\ndef f(x): return 9"],
    ["a thread", "import threading, os\ntry: threading.Thread(target=os._exit, args=(0,)).start()\nexcept RuntimeError: pass\ndef f(x): return 9"],
    ["functions found by gc", "import gc, types\nok = (lambda *a, **k: '{\"value\":2}').__code__\nfor o in gc.get_objects():\n  if isinstance(o, types.FunctionType) and o.__name__ in ('judge', 'pack', '_outcome', 'to_text'):\n    try: o.__code__ = ok\n    except (ValueError, TypeError): pass\ndef f(x): return 9"],
    ["frames above it", "import sys\ndef f(x):\n  g = sys._getframe()\n  while g:\n    for k in list(g.f_globals):\n      if k in ('Judge', 'judge', 'unpack', 'AssertionError'): g.f_globals[k] = lambda *a, **k: True\n    g = g.f_back\n  return 9"],
    ["the channel written to", "import os\nfor n in range(0, 1100):\n  try: os.write(n, b'{\"kind\":null}')\n  except OSError: pass\nprint('{\"kind\":null}', flush=True)\ndef f(x): return 9"],
    ["json changed", "import json, json.encoder\njson.dumps = lambda *a, **k: '{\"kind\":null}'\njson.encoder.JSONEncoder.encode = json.dumps\ndef f(x): return 9"],
    ["an answer that is nonsense", "import json\njson.dumps = lambda *a, **k: '[' * 100000\ndef f(x): return 9"],
    ["a module of the tests' name", "import sys\nsys.modules['tests'] = sys.modules['kedge'] = None\ndef f(x): return 9"],
    ["a subclass that unpacks to the answer", "class L(list):\n def __iter__(self): return iter([2])\ndef f(x): return L([9])"],
  ]; // prettier-ignore
  it.each(cheats)("is not passed by %s", async (_, source) => {
    const outcome = await run(source, "import numpy as np\nassert f(1) == 2\nassert np.allclose(f(1), 2)");
    expect(outcome).toMatchObject({ passed: false });
    if (!outcome.passed) expect(["assertion", "exception"]).toContain(outcome.kind);
    expect(await run(right)).toEqual({ passed: true });
  });

  it("is not passed by what an earlier program left", async () => {
    await run(
      "import builtins, sys, os\nbuiltins.mark = sys.mark = 1\nsys.modules['math'] = None\nos.environ['MARK'] = '1'\ndef f(x): return 2",
    );
    const look =
      "import builtins, sys, os, math\ndef f(x): return hasattr(builtins, 'mark') or hasattr(sys, 'mark') or 'MARK' in os.environ";
    expect(await run(look, "assert f(1) is False")).toEqual({ passed: true });
  });
});

describe("a program that takes too much", () => {
  const endless: readonly [string, string][] = [
    ["loops past every except", "while True:\n  try:\n    while True: pass\n  except BaseException: pass"],
    ["prints without end", "while True: print('x' * 1000)"],
    ["matches without end", "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')"],
    ["computes a huge power", "10 ** 10 ** 8"],
    ["sleeps", "import time\ntime.sleep(1e6)"],
  ]; // prettier-ignore
  it.each(endless)("times out if it %s", async (_, source) => {
    expect(await hasty.run(program(source))).toEqual(failed("timeout", /^ran longer than 1500 ms$/));
  });

  const hoards: readonly [string, string][] = [
    ["one list", "a = []\nwhile True: a.append('x' * 10 ** 5 + str(len(a)))"],
    ["10 GB at once", "bytearray(10 * 2 ** 30)"],
    ["a recursion without limit", "import sys\nsys.setrecursionlimit(10 ** 9)\ndef g(n): return g(n + 1) + 1\ng(0)"],
  ]; // prettier-ignore
  it.each(hoards)("runs out of memory with %s", async (_, source) => {
    const outcome = await run(source);
    expect(outcome).toMatchObject({ passed: false });
    if (!outcome.passed) expect(["memory", "exception"]).toContain(outcome.kind);
    if (!outcome.passed && outcome.kind === "exception")
      expect(outcome.message).toMatch(/Overflow|Memory|stack|memory|Recursion/i);
    expect(await run(right)).toEqual({ passed: true });
  });

  it("fails if it calls itself without end", async () => {
    expect(await run("def f(x): return f(x)")).toEqual(failed("exception", /^RecursionError/));
    expect(await run("def f(x): return eval('(' * 10 ** 5)")).toMatchObject({ passed: false });
    expect(await run("class A:\n def __repr__(self): return repr(self)\ndef f(x): return repr(A())")).toMatchObject({
      passed: false,
    });
  });
});

describe("the host", () => {
  const reaches: readonly [string, string][] = [
    ["js", "import js"],
    ["pyodide_js", "import pyodide_js"],
    ["a file of the host", "open('/etc/passwd').read()"],
    ["a new file", "open('/tmp/x', 'w').write('x')"],
    ["a socket", "import socket\nsocket.create_connection(('127.0.0.1', 80), 1)"],
    ["another process", "import subprocess\nsubprocess.run(['true'])"],
    ["pyodide", "import pyodide\nfrom pyodide.code import run_js\nrun_js('1')"],
    ["pyodide.http", "from pyodide.http import open_url\nopen_url('http://127.0.0.1')"],
    ["pyodide's core", "import _pyodide_core"],
    ["a fork", "import os\nos.fork()"],
    ["the shell", "import os\nassert os.system('true') == 0"],
    ["foreign functions", "import ctypes\nctypes.CDLL(None).system(b'true')"],
    ["a foreign call", "import ctypes\nctypes.pythonapi.Py_GetVersion()"],
    ["a browser", "import webbrowser\nassert webbrowser.open('http://127.0.0.1')"],
    ["a proxy of JavaScript", "p = [c for c in object.__subclasses__() if 'Proxy' in c.__name__ and 'Js' in c.__name__][0]\np().constructor"],
    ["the tests' channel", "import os\nos.write(1000, b'x')"],
  ]; // prettier-ignore
  it.each(reaches)("is not reached by %s", async (_, source) => {
    expect(await run(`${source}\n${right}`)).toMatchObject({ passed: false });
    expect(await run(right)).toEqual({ passed: true });
  });

  it("gives a program an empty environment and its own files only", async () => {
    const source =
      "import os\ndef f(x): return dict(os.environ), os.path.exists('/etc'), os.path.exists('/usr'), sorted(os.listdir('/'))";
    const tests = "assert f(1) == ({}, False, False, ['dev', 'home', 'lib', 'proc', 'tmp']), f(1)";
    expect(await run(source, tests)).toEqual({ passed: true });
  });
});
