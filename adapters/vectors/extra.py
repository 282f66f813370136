"""The packages that larger indexes need, which are an extra: numpy, and usearch with its compiled kernels."""

from importlib.util import find_spec
from typing import Any, Final, NamedTuple

from domain.errors import InvalidRequest

PACKAGES: Final = ("numpy", "usearch")


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
        raise InvalidRequest(_without(error.name or " and ".join(PACKAGES)), param="cache.similar") from None
    return Numerics(numpy, usearch.index)


def missing_package() -> str:
    """Why `numerics` would refuse, found out without importing anything; empty: it would not."""
    return next((_without(name) for name in PACKAGES if find_spec(name) is None), "")


def _without(package: str) -> str:
    return (
        f"an index of similar questions needs {package}, which is not installed here: "
        "pip install 'interchange[semantic]'"
    )
