"""The closed list of what a model can do, as bits, so that a requirement is one `&`."""

from enum import IntFlag


class Capability(IntFlag):
    """One bit each; a set of capabilities is their union."""

    TEXT = 1
    VISION = 2
    AUDIO_IN = 4
    AUDIO_OUT = 8
    IMAGE = 16
    EMBEDDINGS = 32
    CODE = 64
    FUNCTION_CALLING = 128
    STRUCTURED_OUTPUT = 256
    STREAMING = 512
    REASONING = 1024
    LONG_CONTEXT = 2048
    RERANK = 4096
    FINE_TUNED = 8192


NO_CAPABILITY = Capability(0)
LONG_CONTEXT_TOKENS = 200_000
"""A context window from which a model counts as `long_context`."""

NAMES: dict[str, Capability] = {(c.name or "").lower(): c for c in Capability}


class UnknownCapability(ValueError):
    """The name is not on the list; the message lists it."""


def parse_capability(name: str) -> Capability:
    """`function_calling` -> Capability.FUNCTION_CALLING.

    Raises:
        UnknownCapability: not on the closed list.
    """
    try:
        return NAMES[name]
    except KeyError:
        raise UnknownCapability(f"unknown capability {name!r}; allowed: {', '.join(NAMES)}") from None


def capability_names(capabilities: int) -> tuple[str, ...]:
    """Names of the bits that are set, in the list's order."""
    return tuple(name for name, bit in NAMES.items() if capabilities & bit)
