"""What a body holds beside its own text, as far as that decides what it can be billed for."""

from typing import NamedTuple


class Contents(NamedTuple):
    """Read once with the request. The defaults say: nothing but text that stands in the body itself."""

    images: int = 0
    """Pictures to look at, in the body or behind an address or id."""
    image_bytes: int = 0
    """How much of the body those in it take; they are not billed as text."""
    sounds: int = 0
    """Pieces of sound in the body."""
    outside: str = ""
    """The first thing that is billed as input and whose size the body does not show, such as a file behind an
    id, a document to be rendered, or a conversation kept elsewhere; empty: there is none."""
    run_by_provider: str = ""
    """The first thing by which the provider alone decides how much it does, such as a search it runs itself;
    empty: there is none."""
    repeated_bytes: int = 0
    """Bytes that count once more for other parts of the body, such as a query for each document."""
    predicted_bytes: int = 0
    """A predicted answer: what of it is not taken is billed as output."""
    usual_tier: bool = False
    """Whether the caller insists on the usual tier of service, whatever the account's own default."""


PLAIN = Contents()
