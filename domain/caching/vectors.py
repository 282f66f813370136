"""Texts as numbers, before anything is compared."""

import math
import sys
from array import array
from operator import mul

from domain.errors import StoreUnavailable


def unit_numbers(vector: bytes, dimensions: int) -> "array[float]":
    """Little-endian float32 numbers, brought to length 1.

    Raises:
        StoreUnavailable: another number of dimensions, or no direction at all.
    """
    numbers = array("f")
    if len(vector) != dimensions * numbers.itemsize:
        raise StoreUnavailable(f"a vector has not the {dimensions} numbers it should have")
    numbers.frombytes(vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    length = math.sqrt(sum(map(mul, numbers, numbers)))
    if not math.isfinite(length) or not length:
        raise StoreUnavailable("a vector has no direction")
    return array("f", [each / length for each in numbers])


def cosine(one: bytes, other: bytes) -> float:
    """Of two vectors of unit length and equal size; -1 where their sizes differ."""
    left, right = array("f"), array("f")
    left.frombytes(one)
    right.frombytes(other)
    if len(left) != len(right):
        return -1.0
    return float(sum(map(mul, left, right)))
