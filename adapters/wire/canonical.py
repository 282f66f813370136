"""JSON of equal meaning as equal bytes.

Order of names, white space, escapes and spelling of numbers make no difference; the texts themselves are
never touched. Numbers are compared by their exact value, so that two long ones are not taken for one because
a double could not tell them apart.
"""

import json
from typing import Any, Final

import msgspec
from msgspec import Raw

_PLAIN_CHARS: Final = 16
"""A fraction spelt in so few characters has at most 15 digits, and no other such fraction has its double."""
_WHOLE_DIGITS_MAX: Final = 40
"""Longer whole numbers with an exponent stay in that form: `1e4000` costs far more than its six bytes."""
_FRACTION_DIGITS_MAX: Final = 15
_FRACTION_EXPONENT_MAX: Final = 290
"""Powers of ten up to which 15 digits and their double belong together."""
_EXPONENT_CHARS_MAX: Final = 20
_ESCAPED_COLONS: Final = (b"\\u003a", b"\\u003A")


class Incomparable(ValueError):
    """A body of which nobody can say what it means to everybody who reads it."""


def decoded(body: bytes) -> Any:
    """Plain values; a number is an int, a float, or `Raw` with its exact value.

    Raises:
        Incomparable: not JSON, a name that stands twice in one object (readers differ in which one counts),
            half a surrogate pair, a number beyond reason, or nested beyond reason.
    """
    try:
        value = _DECODER.decode(body)
        # Names that stood twice are gone from the value, and each of them takes its colon along.
        if any(colon in body for colon in _ESCAPED_COLONS):
            json.loads(body, object_pairs_hook=_once, parse_int=len, parse_float=len)
        elif body.count(b":") != msgspec.json.encode(value).count(b":"):
            raise Incomparable("a name stands twice in one object")
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Incomparable(str(error)) from None
    return value


def encoded(value: Any) -> bytes:
    """The one spelling of what `decoded` made. Raises Incomparable."""
    try:
        return msgspec.json.encode(value, order="sorted")
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Incomparable(str(error)) from None


def number_of(value: Any) -> float | None:
    """A decoded number as a float, infinite where it is too large for one; None for what is none."""
    if type(value) is float or type(value) is int:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return float(bytes(value)) if isinstance(value, Raw) else None


def _number(text: str) -> Any:
    """A number spelt with a fraction or an exponent, in the one form of its value."""
    if len(text) <= _PLAIN_CHARS and "e" not in text and "E" not in text:
        plain = float(text)
        return int(plain) if plain.is_integer() else plain
    mantissa, _, power = text.lower().partition("e")
    if len(power) > _EXPONENT_CHARS_MAX:
        raise Incomparable("an exponent beyond reason")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    exponent = int(power or "0") - len(fraction) + len(digits)
    digits = digits.rstrip("0")
    exponent -= len(digits)
    if not digits:
        return 0
    sign = "-" if text[0] == "-" else ""
    if exponent >= 0 and len(digits) + exponent <= _WHOLE_DIGITS_MAX:
        return int(sign + digits + "0" * exponent)
    if len(digits) <= _FRACTION_DIGITS_MAX and -_FRACTION_EXPONENT_MAX < exponent < 0:
        return float(f"{sign}{digits}e{exponent}")
    return Raw(f"{sign}{digits}e{exponent}".encode())


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Incomparable("a name stands twice in one object")
    return found


_DECODER: Final = msgspec.json.Decoder(float_hook=_number)
