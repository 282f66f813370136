"""Remembering who keeps an answer, and where wanted the answer itself.

Failure policy: everything raises `StoreUnavailable`. Reads say so to the caller, because an id that cannot
be looked up is not an unknown id; writes are tried again by their owner (`application.answer_memory`).
Entries are found under their tenant only: another tenant's is as unknown as one that never was.
"""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol


class OpenBill(NamedTuple):
    """A request whose answer is made later: for whom it is to be billed once its usage is known."""

    request_id: str
    model_asked: str
    route: str
    agent_id: str = ""
    user_id: str = ""
    session_id: str = ""
    workflow_id: str = ""
    client_request_id: str = ""
    metadata: str = ""
    service_tier: str = ""
    team: str = ""
    project: str = ""
    cost_center: str = ""
    attempt_id: str = ""
    """Of the attempt that began it, where hard budgets hold its worst cost until the bill is known."""
    charge: str = ""
    """What they hold, as it stands in a row (`domain.budgets.posting`); empty: nothing."""


class StoredAnswer(NamedTuple):
    """One thing with an id: an answer, an item of one, or reasoning that only its maker can read.

    `native`: the account keeps it under this id. `content` is the whole exchange, where Interchange keeps
    it. Times are UTC epoch microseconds; from `expires_at_us` on the entry is gone.
    """

    tenant_id: str
    id: str
    key_id: str
    target_id: str
    provider: str
    credential: str
    native: bool
    created_at_us: int
    expires_at_us: int
    content: bytes | None = None
    open_bill: OpenBill | None = None
    route: str = ""
    """The route that it was asked for by; its policies hold for whoever fetches it."""
    user_id: str = ""
    """For whom it was made, as far as its caller said."""


class StoredAnswers(Protocol):
    """Entries by tenant and id."""

    @abstractmethod
    async def put(self, answers: Sequence[StoredAnswer]) -> None:
        """Keeps all of them or none; one of the same id is replaced."""
        ...

    @abstractmethod
    async def get(self, tenant_id: str, ids: Collection[str], *, now_us: int) -> Mapping[str, StoredAnswer]:
        """Those of this tenant that are there and have not expired."""
        ...

    @abstractmethod
    async def delete(self, tenant_id: str, answer_id: str) -> bool:
        """Whether there was one."""
        ...

    @abstractmethod
    async def settle(self, tenant_id: str, answer_id: str) -> bool:
        """Closes the open bill; whether there was one to close. Of many at once, one is told so."""
        ...

    @abstractmethod
    async def unsettled(self, *, before_us: int, limit: int) -> Sequence[StoredAnswer]:
        """The oldest entries with an open bill created before then, whosever they are, expired or not."""
        ...

    @abstractmethod
    async def purge(self, *, now_us: int, per_tenant_max: int) -> int:
        """Drops what has expired (but no open bill), and of tenants with more than so many entries the
        oldest; returns how many."""
        ...
