"""One JSON value in many spellings, and bodies to spell."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(max_size=20),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value of moderate size."""


def spelt(value: Any, data: st.DataObject) -> str:
    """The value in JSON, with names in any order, white space, escapes and numbers in any form."""
    gap = data.draw(st.sampled_from(["", "", " ", "\n", "\t\r\n "]))
    return gap + _inner(value, data) + gap


def _inner(value: Any, data: st.DataObject) -> str:
    if isinstance(value, dict):
        names = data.draw(st.permutations(list(value)))
        pairs = (f"{_text(name, data)}:{spelt(value[name], data)}" for name in names)
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(spelt(item, data) for item in value) + "]"
    if isinstance(value, str):
        return _text(value, data)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return _number(value, data)


def _text(text: str, data: st.DataObject) -> str:
    form = data.draw(st.sampled_from(["plain", "ascii", "escaped"]))
    if form != "escaped":
        return json.dumps(text, ensure_ascii=form == "ascii")
    units = text.encode("utf-16-be")
    upper = data.draw(st.booleans())
    escapes = (f"{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    return '"' + "".join("\\u" + (unit.upper() if upper else unit) for unit in escapes) + '"'


def _number(number: float, data: st.DataObject) -> str:
    exact = Decimal(repr(number))
    forms = [repr(number), f"{exact:f}", f"{exact:E}", f"{exact:.40e}"]
    if exact == exact.to_integral_value():
        forms += [f"{exact:f}".partition(".")[0] + ".000", f"{exact:f}".partition(".")[0] + "e+00"]
    # Decimal's own forms leave out nothing; a form is only used where it says the very number.
    fitting = [form for form in forms if Decimal(form) == exact]
    return data.draw(st.sampled_from(fitting))
