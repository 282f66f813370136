"""Messages that were seen, in memory: for tests and simulations."""

from application.ports.seen_messages import SeenMessages
from domain.errors import Overloaded, StoreUnavailable


class InMemorySeenMessages(SeenMessages):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._until_us: dict[tuple[str, bytes], int] = {}

    async def first(
        self, tenant_id: str, fingerprint: bytes, now_us: int, until_us: int, *, per_tenant_max: int
    ) -> bool:
        if not self.reachable:
            raise StoreUnavailable("what was seen is not known now", retry_after_s=1.0)
        self._until_us = {
            key: until for key, until in self._until_us.items() if key[0] != tenant_id or until > now_us
        }
        if (tenant_id, fingerprint) in self._until_us:
            return False
        if sum(key[0] == tenant_id for key in self._until_us) >= per_tenant_max:
            raise Overloaded(
                f"{per_tenant_max} messages are known as seen in this tenant", retry_after_s=60.0
            )
        self._until_us[tenant_id, fingerprint] = until_us
        return True
