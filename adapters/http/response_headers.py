"""Reading the few response headers that matter to the connection itself."""

from typing import Final

_NAMES_REMEMBERED_MAX: Final = 2048
_lower_names: dict[bytes, str] = {}
"""Header names as received, in lower case: the same few dozen come with every response."""


def lower_name(name: bytes) -> str:
    """The name in lower case."""
    known = _lower_names.get(name)
    if known is None:
        known = name.decode("latin-1").lower()
        if len(_lower_names) < _NAMES_REMEMBERED_MAX:
            _lower_names[name] = known
    return known


def ends_with_connection(headers: list[tuple[str, str]]) -> bool:
    """Whether the body has no length of its own, so that the end of the connection is its end."""
    return not any(name in ("content-length", "transfer-encoding") for name, _ in headers)


def idle_timeout_s(headers: list[tuple[str, str]], ours_s: float) -> float:
    """The peer's `Keep-Alive: timeout=N` when shorter than ours.

    Half a second early, so that a request does not meet the peer's close half-way.
    """
    for name, value in headers:
        if name == "keep-alive":
            for parameter in value.split(","):
                key, _, number = parameter.partition("=")
                if key.strip().lower() == "timeout" and number.strip().isdecimal():
                    return min(ours_s, max(int(number.strip()[:9]) - 0.5, 0.0))
    return ours_s
