"""A new secret for the same key: both work for a while, so that holders can change over one by one."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from domain.errors import Conflict, InvalidRequest
from domain.tenancy.key import OWN_SCHEME, KeyRecord, OldSecret

OVERLAP_DEFAULT_S: Final = 86_400
OVERLAP_MAX_S: Final = 30 * 86_400


def rotated(
    record: KeyRecord, digest: bytes, pepper_version: int, *, overlap_s: int, now: datetime
) -> KeyRecord:
    """The key with a new secret of our own making. The one before it lets in for `overlap_s` more seconds;
    0 ends every older one at once.

    Raises:
        InvalidRequest: an overlap that is too long or negative.
        Conflict: revoked or expired; or two secrets work already, and a third would end one of them before
            the time its holders were told.
    """
    if not 0 <= overlap_s <= OVERLAP_MAX_S:
        raise InvalidRequest(f"overlap_seconds must be from 0 to {OVERLAP_MAX_S}", param="overlap_seconds")
    if not record.live(now):
        raise Conflict(f"key {record.key_id} is revoked or expired; make a new one", param="key_id")
    overlap = record.overlap(now)
    if overlap is not None and overlap_s > 0:
        raise Conflict(
            f"key {record.key_id} has two secrets until {overlap.until:%Y-%m-%dT%H:%M:%SZ}; rotate it after "
            "that, or with overlap_seconds 0, which ends both at once",
            param="overlap_seconds",
        )
    until = now + timedelta(seconds=overlap_s)
    old = OldSecret(record.hash, record.pepper_version, record.scheme, until) if overlap_s else None
    return replace(
        record,
        hash=digest,
        pepper_version=pepper_version,
        scheme=OWN_SCHEME,
        old_secret=old,
        rotated_at=now,
    )
