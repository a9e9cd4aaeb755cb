// The module `numpy` that programs and tests in Python find: the few names that the tests of HumanEval+ and MBPP+ call, after the
// documentation of NumPy. Any other name raises `NotCovered`, and the task is not judged.

/** What the stand-in has, as its messages and the guide say it. */
export const NUMPY_COVERS = ["allclose", "ndarray", "float64", "float32", "inf", "nan", "isclose", "isnan", "pi", "e"];

/** Python: defines `numpy_stand_in()`, which makes the module, and the class `NotCovered`. */
export const NUMPY_SOURCE = String.raw`
import math
import types


class NotCovered(BaseException):
    """Raised for a name that the stand-in for numpy lacks; not an Exception, so that no program takes it for one of its own."""


class ndarray:
    """No value is one: the stand-in makes no arrays."""

    def __new__(cls, *args, **kwargs):
        raise NotCovered("numpy.ndarray()")


class float64(float):
    """A float of Python."""

    dtype = None


class float32:
    """Only compared with types."""

    def __new__(cls, *args, **kwargs):
        raise NotCovered("numpy.float32()")


float64.dtype = float64
for _type in (ndarray, float64, float32):
    _type.__module__ = "numpy"


def _shape(value):
    """The shape of nested lists and tuples; None where they are ragged."""
    if not isinstance(value, (list, tuple)):
        return ()
    inner = {_shape(item) for item in value}
    if len(inner) > 1 or None in inner:
        return None
    return (len(value), *(inner.pop() if inner else ()))


def _flat(value):
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _flat(item)
    elif isinstance(value, (int, float, complex)):
        yield value
    else:
        raise TypeError(f"ufunc 'isfinite' not supported for the input types: {type(value).__name__}")


def _number_close(a, b, rtol, atol, equal_nan):
    if a != a or b != b:
        return equal_nan and a != a and b != b
    if abs(a) == math.inf or abs(b) == math.inf:
        return a == b
    return abs(a - b) <= atol + rtol * abs(b)


def _pairs(a, b):
    shape, other = _shape(a), _shape(b)
    if shape is None or other is None:
        raise ValueError("setting an array element with a sequence. The requested array has an inhomogeneous shape")
    left, right = list(_flat(a)), list(_flat(b))
    if shape == other:
        return shape, list(zip(left, right))
    if shape == () or other == ():
        return shape or other, [(x, y) for x in left for y in right]
    if len(shape) == len(other) == 1 and 1 in (len(left), len(right)):
        return max(shape, other), [(x, y) for x in left for y in right]
    if len(shape) == len(other) == 1:
        raise ValueError(f"operands could not be broadcast together with shapes ({shape[0]},) ({other[0]},)")
    raise NotCovered(f"numpy's broadcasting of shapes {shape} and {other}")


def allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all |a - b| <= atol + rtol |b|, of numbers and nested lists of them."""
    return all(_number_close(x, y, rtol, atol, equal_nan) for x, y in _pairs(a, b)[1])


def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """As allclose, of two numbers."""
    shape, pairs = _pairs(a, b)
    if shape != ():
        raise NotCovered("numpy.isclose of arrays")
    return _number_close(*pairs[0], rtol, atol, equal_nan)


def isnan(x):
    """Of a number."""
    if isinstance(x, (list, tuple)):
        raise NotCovered("numpy.isnan of arrays")
    return next(_flat(x)) != x


def numpy_stand_in():
    """The module."""
    module = types.ModuleType("numpy", "A stand-in for numpy: the names that the tests of common task sets call.")
    for name in ("allclose", "isclose", "isnan", "ndarray", "float64", "float32"):
        setattr(module, name, globals()[name])
    module.inf, module.nan, module.pi, module.e = math.inf, math.nan, math.pi, math.e
    module.__path__ = []

    def missing(name):
        if name.startswith("__"):
            raise AttributeError(f"module 'numpy' has no attribute {name!r}")
        raise NotCovered(f"numpy.{name}")

    module.__getattr__ = missing
    return module
`;
