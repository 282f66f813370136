"""Secrets as values that never print.

Whatever shows, copies, pickles or encodes values does not get at what is inside; only `reveal` does, and a
search for that word finds every place where a secret leaves its wrapper. This guards against accidents, not
against code that wants to read it: Python keeps no secrets from itself, and memory is not wiped.
"""

import hmac
from typing import Final, Generic, NoReturn, TypeVar

Content = TypeVar("Content", str, bytes)

MASK: Final = "**********"


class _Secret(Generic[Content]):
    """What both kinds have in common. Comparing takes the same time whatever differs."""

    __slots__ = ("__content",)

    def __init__(self, content: Content) -> None:
        self.__content: Content = content

    def reveal(self) -> Content:
        """What is inside: for the adapter that needs it, at the moment it does."""
        return self.__content

    def __repr__(self) -> str:
        return f"{type(self).__name__}({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        del spec  # a width would tell nothing, a precision would cut the mask
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Secret) or type(other) is not type(self):
            return NotImplemented
        return hmac.compare_digest(_bytes(self.__content), _bytes(other.reveal()))

    __hash__ = None  # type: ignore[assignment]  # a set or a dict would compare in its own time

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        del protocol
        raise TypeError("a secret is not pickled or copied")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret has no state to hand out")

    def __copy__(self) -> NoReturn:
        raise TypeError("a secret is not copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        del memo
        raise TypeError("a secret is not copied")


class SecretText(_Secret[str]):
    """A secret that is text, such as an API key."""

    __slots__ = ()


class SecretBytes(_Secret[bytes]):
    """A secret that is bytes, such as a key."""

    __slots__ = ()


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
