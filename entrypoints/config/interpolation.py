"""`${NAME}` and `${NAME:-default}` inside configuration values.

`$${` stands for a plain `${`. As in a shell, the default of `:-` also replaces an empty variable. Defaults
are plain text: nothing nests. Substituted text is never read as YAML again, so a value from outside cannot
add keys.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
_BODY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_FORMS = "write ${NAME} or ${NAME:-default}, or $${ for a plain ${"


_SHIELDED = str.maketrans({sign: chr(0xE000 + i) for i, sign in enumerate("{},[]:#")})
_BARED = str.maketrans({replacement: chr(sign) for sign, replacement in _SHIELDED.items()})
_CLEAR = re.compile(r"\$\{[^{}\n]*\}")
_HIDDEN = re.compile(f"\\${chr(0xE000)}[^{chr(0xE001)}]*{chr(0xE001)}")


def shield(text: str) -> str:
    """The same text, sign for sign, with references that YAML reads over.

    Inside `{…}` and `[…]` a bare `${NAME}` would otherwise end the value it stands in.
    """
    return _CLEAR.sub(lambda match: match.group().translate(_SHIELDED), text)


def bare(text: str) -> str:
    """Takes back what `shield` did."""
    return _HIDDEN.sub(lambda match: match.group().translate(_BARED), text)


class BadReference(NamedTuple):
    """A reference that cannot be resolved; `offset` is its place in the text, in characters."""

    offset: int
    message: str


class Interpolated(NamedTuple):
    """The text after substitution; `names` are the variables it took."""

    text: str
    names: tuple[str, ...]
    problems: tuple[BadReference, ...]


def interpolate(text: str, environ: Mapping[str, str]) -> Interpolated:
    """Substitutes every reference; a bad one is reported and left out of the text."""
    if "${" not in text:
        return Interpolated(text, (), ())
    names: list[str] = []
    problems: list[BadReference] = []

    def substitute(match: re.Match[str]) -> str:
        if match.group() == "$${":
            return "${"
        body = _BODY.fullmatch(match.group(1))
        if body is None or not match.group(2):
            problems.append(BadReference(match.start(), f"cannot read {match.group()!r}; {_FORMS}"))
            return ""
        name, default = body.groups()
        value = environ.get(name)
        if default is not None:
            names.append(name)
            return value or default
        if value is None:
            message = f"environment variable {name} is not set; set it, or give a default: ${{{name}:-…}}"
            problems.append(BadReference(match.start(), message))
            return ""
        names.append(name)
        return value

    replaced = _REFERENCE.sub(substitute, text)
    return Interpolated(replaced, tuple(names), tuple(problems))
