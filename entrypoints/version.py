"""Which version this is."""

from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version


@cache
def version() -> str:
    """The installed package's version; in a bare checkout `0.0.0+source`. Read once: a file is parsed."""
    try:
        return installed_version("interchange")
    except PackageNotFoundError:
        return "0.0.0+source"
