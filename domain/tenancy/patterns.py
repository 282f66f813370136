"""Names with one `*` at the end: what they stand for, and which of two stands for more."""

from collections.abc import Iterable
from typing import Final

from domain.errors import InvalidRequest

PATTERNS_MAX: Final = 1000
PATTERN_LENGTH_MAX: Final = 256


def matches(pattern: str, name: str) -> bool:
    """Whether the pattern stands for this name, letter by letter; no letter stands for one that looks like
    it."""
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern


def matches_any(patterns: Iterable[str] | None, name: str) -> bool:
    """Whether one of them does; None stands for every name."""
    return patterns is None or any(matches(pattern, name) for pattern in patterns)


def covers(wide: str, narrow: str) -> bool:
    """Whether `wide` stands for everything that `narrow` stands for."""
    if not wide.endswith("*"):
        return wide == narrow
    return narrow.removesuffix("*").startswith(wide[:-1])


def beyond(wanted: Iterable[str] | None, held: frozenset[str] | None) -> list[str]:
    """Those of `wanted` that `held` does not cover; None stands for every name."""
    if held is None:
        return []
    if wanted is None:
        return ["*"]
    return sorted(name for name in wanted if not any(covers(wide, name) for wide in held))


def check_patterns(patterns: Iterable[str], param: str) -> None:
    """Raises InvalidRequest that names the first that is none."""
    listed = tuple(patterns)
    if len(listed) > PATTERNS_MAX:
        raise InvalidRequest(f"{param} may list at most {PATTERNS_MAX} names", param=param)
    for pattern in listed:
        if not pattern.isprintable() or not 1 <= len(pattern) <= PATTERN_LENGTH_MAX or "*" in pattern[:-1]:
            raise InvalidRequest(
                f"{param} {pattern[:60]!r} must be 1-{PATTERN_LENGTH_MAX} printable characters, with `*` at "
                "the end or nowhere",
                param=param,
            )
