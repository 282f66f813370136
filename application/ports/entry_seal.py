"""What kept answers look like where others might read or change them.

Failure policy: open. What cannot be opened is a miss.
"""

import hashlib
import hmac
from abc import abstractmethod
from typing import Final, Protocol


class EntrySeal(Protocol):
    """Binds an entry's bytes to its tenant and its key: moved elsewhere they do not open. Pure."""

    @abstractmethod
    def seal(self, tenant_id: str, key: bytes, plain: bytes) -> bytes:
        """Raises StoreUnavailable: no key for it is at hand."""
        ...

    @abstractmethod
    def open(self, tenant_id: str, key: bytes, sealed: bytes) -> bytes | None:
        """None: damaged, of another tenant or key, or sealed with a key that is gone."""
        ...


class NoSeal(EntrySeal):
    """Hides nothing. Notices damage and entries in the wrong place, not whoever forges one on purpose."""

    def seal(self, tenant_id: str, key: bytes, plain: bytes) -> bytes:
        return _checksum(tenant_id, key, plain) + plain

    def open(self, tenant_id: str, key: bytes, sealed: bytes) -> bytes | None:
        plain = sealed[_CHECKSUM_BYTES:]
        if not hmac.compare_digest(sealed[:_CHECKSUM_BYTES], _checksum(tenant_id, key, plain)):
            return None
        return plain


_CHECKSUM_BYTES: Final = 8


def _checksum(tenant_id: str, key: bytes, plain: bytes) -> bytes:
    tenant = tenant_id.encode()
    hashed = hashlib.blake2b(b"%d:%d:" % (len(tenant), len(key)), digest_size=_CHECKSUM_BYTES)
    for part in (tenant, key, plain):
        hashed.update(part)
    return hashed.digest()
