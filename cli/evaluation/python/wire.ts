// How values go between the interpreter of the program and that of its tests: as JSON, in which a record of one letter is a value that
// JSON lacks. A value of another class stays where it is, and a handle goes in its place.

/** The letters and the values that they stand for, in one place for the reader; the code is Python, below. */
export const WIRE_SOURCE = String.raw`
import array
import collections
import datetime
import decimal
import fractions
import json
import types

MAX_ITEMS = 1_000_000  # of an iterator that is read out
MAX_DEPTH = 200  # of nested values

_SMALL = 1 << 53
_KINDS = {
    "Counter": collections.Counter,
    "OrderedDict": collections.OrderedDict,
    "defaultdict": lambda items: collections.defaultdict(None, items),
}
_TIMES = {"date": datetime.date, "time": datetime.time, "datetime": datetime.datetime}
_VIEWS = {"dict_keys": "keys", "dict_values": "values", "dict_items": "items"}


def _base(value):
    """The value as one of the builtin type that it derives from; itself where it derives from none."""
    if isinstance(value, int):
        return int.__add__(value, 0)
    if isinstance(value, float):
        return float.__pos__(value)
    if isinstance(value, str):
        return str.__getitem__(value, slice(None))
    for kind in (list, tuple, set, frozenset, dict, bytes, bytearray, complex):
        if isinstance(value, kind):
            return kind(kind.__iter__(value)) if kind is not complex and kind is not dict else kind(value)
    return value


def pack(value, handle, depth=0):
    """The value as what JSON can say; handle(value) is its stand-in where that cannot be."""
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:
        return value
    if kind is int:
        return value if -_SMALL < value < _SMALL else {"i": hex(value)}
    if depth > MAX_DEPTH:
        raise RecursionError(f"a value nested more than {MAX_DEPTH} deep")
    inner = depth + 1
    if kind is list:
        return [pack(item, handle, inner) for item in value]
    for letter, builtin in (("t", tuple), ("s", set), ("f", frozenset)):
        if kind is builtin:
            return {letter: [pack(item, handle, inner) for item in value]}
    if kind is dict:
        return {"d": [[pack(key, handle, inner), pack(item, handle, inner)] for key, item in value.items()]}
    if kind is complex:
        return {"c": [value.real, value.imag]}
    if kind is bytes or kind is bytearray:
        return {"b" if kind is bytes else "a": value.hex()}
    if kind is range:
        return {"r": [pack(part, handle) for part in (value.start, value.stop, value.step)]}
    if kind is collections.deque:
        return {"q": [[pack(item, handle, inner) for item in value], value.maxlen]}
    for name in _KINDS:
        if kind is getattr(collections, name):
            return {"k": [name, pack(dict(value), handle, inner)]}
    if kind is array.array:
        return {"y": [value.typecode, pack(value.tolist(), handle, inner)]}
    if kind is decimal.Decimal:
        return {"n": str(value)}
    if kind is fractions.Fraction:
        return {"p": [pack(value.numerator, handle), pack(value.denominator, handle)]}
    if kind is datetime.timedelta:
        return {"w": ["timedelta", [value.days, value.seconds, value.microseconds]]}
    for name, time in _TIMES.items():
        if kind is time:
            return {"w": [name, value.isoformat()]}
    if kind.__name__ in _VIEWS and kind.__module__ == "builtins":
        return {"v": [_VIEWS[kind.__name__], [pack(item, handle, inner) for item in value]]}
    if isinstance(value, type) and value.__module__ == "builtins":
        return {"T": value.__name__}
    if value is NotImplemented or value is Ellipsis:
        return {"T": repr(value)}
    if isinstance(value, types.GeneratorType) or (kind.__module__ in ("builtins", "itertools") and hasattr(kind, "__next__")):
        items = []
        for item in value:
            if len(items) >= MAX_ITEMS:
                raise ValueError(f"an iterator of more than {MAX_ITEMS} items")
            items.append(pack(item, handle, inner))
        return {"g": items}
    base = _base(value)
    if base is not value:
        return pack(base, handle, inner)
    return handle(value)


def unpack(packed, handle):
    """The value of what pack made."""
    kind = type(packed)
    if kind is list:
        return [unpack(item, handle) for item in packed]
    if kind is not dict:
        return packed
    ((letter, content),) = packed.items()
    if letter == "i":
        return int(content, 16)
    if letter == "c":
        return complex(*content)
    if letter == "b":
        return bytes.fromhex(content)
    if letter == "a":
        return bytearray.fromhex(content)
    if letter == "n":
        return decimal.Decimal(content)
    if letter == "w":
        name, text = content
        return datetime.timedelta(*text) if name == "timedelta" else _TIMES[name].fromisoformat(text)
    if letter == "T":
        import builtins
        return getattr(builtins, content)
    if letter == "h":
        return handle(content)
    if letter == "d":
        return {unpack(key, handle): unpack(item, handle) for key, item in content}
    if letter == "k":
        return _KINDS[content[0]](unpack(content[1], handle))
    if letter == "q":
        return collections.deque(unpack(content[0], handle), content[1])
    if letter == "y":
        return array.array(content[0], unpack(content[1], handle))
    if letter == "v":
        view, items = content[0], unpack(content[1], handle)
        if view == "items":
            return dict(items).items()
        return dict.fromkeys(items).keys() if view == "keys" else dict(enumerate(items)).values()
    items = unpack(content, handle)
    if letter == "t":
        return tuple(items)
    if letter == "s":
        return set(items)
    if letter == "f":
        return frozenset(items)
    if letter == "r":
        return range(*items)
    if letter == "p":
        return fractions.Fraction(*items)
    if letter == "g":
        return iter(items)
    raise ValueError(f"no value is written {letter!r}")


def to_text(value, handle):
    return json.dumps(pack(value, handle), separators=(",", ":"))


def from_text(text, handle):
    return unpack(json.loads(text), handle)
`;
