"""What may be added to a prompt so that its provider keeps the beginning of it for later prompts.

Some providers keep only what is marked in the body, and bill the writing of it; others find long beginnings
by themselves and take a key that brings prompts of one conversation to the same machine.
"""

import re
from typing import Final, NamedTuple

MARK: Final = b'"cache_control"'
"""How a caller's own mark begins, in every dialect that has marks."""
TTL: Final = b'"ttl"'
_ESCAPED_LETTER: Final = re.compile(rb"\\u00[4-7]")
"""May spell a mark another way. No encoder writes letters like that, so few texts are taken for marked."""


class PromptMarks(NamedTuple):
    """Wanted additions of ours for one attempt; they are put in as the body is encoded for the provider."""

    tokens_min: int
    """A shorter beginning is not marked."""
    marks_max: int
    """How many marks the provider takes; 0: it needs none."""
    long: bool = False
    """Whether what is marked shall be kept for the longer time."""
    keyed: bool = False
    """Whether the provider takes a key of the conversation."""
    owner: bytes = b""
    """Who may share what is kept: part of the key, so that tenants never share one."""
    session: bytes = b""
    """The conversation as the caller names it; empty: it is known by how its body begins."""
    retention: str = ""
    """How long the provider shall keep it, in its own words; empty: as it likes."""

    @property
    def may_write(self) -> bool:
        """Whether marks are put in, which makes the provider bill what it writes."""
        return self.marks_max > 0


def may_say(name: bytes, body: bytes) -> bool:
    """Whether this name may stand in a JSON body; never wrong when it says no.

    Inside a text its quotes would be escaped.
    """
    # Looking for one byte is many times as fast as for several, and most texts have no backslash.
    if name in body:
        return True
    return b"\\" in body and b"\\u00" in body and _ESCAPED_LETTER.search(body) is not None
