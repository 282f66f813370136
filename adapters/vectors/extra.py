"""The packages that larger indexes need, which are an extra: numpy, and usearch with its compiled kernels."""

from typing import Any, NamedTuple

from domain.errors import InvalidRequest


class Numerics(NamedTuple):
    """Loaded only where it is used."""

    numpy: Any
    usearch: Any


def numerics() -> Numerics:
    """Raises InvalidRequest where they are not installed."""
    try:
        import numpy
        import usearch.index
    except ImportError as error:
        raise InvalidRequest(
            f"an index of similar questions needs {error.name or 'numpy and usearch'}, which is not "
            "installed here: pip install 'interchange[semantic]'",
            param="cache.similar",
        ) from None
    return Numerics(numpy, usearch.index)
