// What a Python of the user's own runs: the program, and then its tests in the same module, as the sets' own harnesses do.

/** Python: reads `{program, tests, nonce, seconds, bytes}` from its input and writes `{nonce, kind, message}` to file 3; kind null is a pass. */
export const OWN_INTERPRETER_SOURCE = String.raw`
import json
import os
import sys
import types

request = json.loads(sys.stdin.buffer.read())
channel = os.fdopen(3, "w")


def one_line(text):
    line = " ".join(str(text).split())
    return line if len(line) <= 200 else line[:197] + "..."


def named(error):
    said = one_line(error)
    return type(error).__name__ + (": " + said if said else "")


def place(error):
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename


def outcome():
    try:
        program = compile(request["program"], "program.py", "exec")
    except (SyntaxError, ValueError) as error:
        return "syntax", named(error)
    module = types.ModuleType("program")
    sys.modules["program"] = module
    try:
        exec(program, module.__dict__)
    except MemoryError:
        return "memory", "out of memory"
    except BaseException as error:
        return "exception", named(error)
    try:
        exec(compile(request["tests"], "tests.py", "exec"), module.__dict__)
    except AssertionError as error:
        return "assertion", one_line(error) or "an assertion failed"
    except ModuleNotFoundError as error:
        if place(error) == "tests.py":
            return "not judged", "needs the module " + str(error.name)
        return "exception", named(error)
    except MemoryError:
        return "memory", "out of memory"
    except BaseException as error:
        return "exception", named(error)
    return None, ""


try:
    import resource

    for limit, most in ((resource.RLIMIT_CPU, request["seconds"]), (resource.RLIMIT_AS, request["bytes"]), (resource.RLIMIT_CORE, 0)):
        try:
            resource.setrlimit(limit, (most, most))
        except (OSError, ValueError):
            pass
except ImportError:
    pass
kind, message = outcome()
channel.write(json.dumps({"nonce": request["nonce"], "kind": kind, "message": message}))
channel.flush()
os._exit(0)
`;
