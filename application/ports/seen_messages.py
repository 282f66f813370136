"""Which messages were seen before, so that none is taken twice, on whichever instance it arrives.

Failure policy: closed. Raises `StoreUnavailable`; what cannot be looked up is not taken.
"""

from abc import abstractmethod
from typing import Protocol


class SeenMessages(Protocol):
    @abstractmethod
    async def first(
        self, tenant_id: str, fingerprint: bytes, now_us: int, until_us: int, *, per_tenant_max: int
    ) -> bool:
        """Whether nobody has seen this message of the tenant before; from now to `until_us` it is known.

        Raises Overloaded where the tenant has so many that are known: forgetting one early would let it in
        again. Raises StoreUnavailable.
        """
        ...
