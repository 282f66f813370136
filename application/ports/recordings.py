"""Keeping recorded prompts and answers, for routes and keys that ask for it.

Failure policy: open for requests, closed for readers. `put` raises and its owner tries again
(`application.recording`); a recording that cannot be kept is given up and counted, its request is not.
"""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

PROMPT: Final = "prompt"
ANSWER: Final = "answer"


class Recording(NamedTuple):
    """One part of one request, as privacy policies left it. Times are UTC epoch microseconds.

    `truncated`: the part was longer, only its beginning is here. `content` is None only where it was read and
    does not open: its key is gone, or somebody changed it.
    """

    tenant_id: str
    request_id: str
    part: str
    key_id: str
    user_id: str
    dialect: str
    content_type: str
    recorded_at_us: int
    expires_at_us: int
    truncated: bool
    content: bytes | None


class Recordings(Protocol):
    """Recordings by tenant and request. Contents are sealed and compressed in whatever keeps them."""

    @abstractmethod
    async def put(self, recordings: Sequence[Recording], *, tenant_day_bytes_max: int) -> int:
        """Keeps them; one of the same request and part is replaced. How many were not kept because their
        tenant's share of the day (UTC, of their own times) is used up.

        Raises StoreUnavailable; nothing was kept then.
        """
        ...

    @abstractmethod
    async def of_request(self, tenant_id: str, request_id: str, *, now_us: int) -> list[Recording]:
        """Those of one request that have not expired, the prompt first. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def purge(self, now: datetime) -> int:
        """Removes what has expired; how many pieces went, rows or whole parts of the table. Raises
        StoreUnavailable; what is left goes the next time."""
        ...
