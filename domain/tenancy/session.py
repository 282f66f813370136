"""A login: for how long somebody who came by a browser is known, and when no longer."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.tenancy.identity import Identity

SECRET_CHARS: Final = 43
"""256 random bits in base64url."""
SESSIONS_MAX: Final = 100_000
PER_SUBJECT_MAX: Final = 20
SEEN_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login. `digest` is of the secret in the browser's cookie; `policy` is the fingerprint of what let
    it in: with another one the session is over."""

    digest: str
    identity: Identity
    policy: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


def digest_of(secret: str) -> str:
    """What a secret is kept as. It has 256 bits of chance, so a fast digest is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_over(session: Session, now: datetime, idle: timedelta) -> bool:
    """Whether it ended by itself: too old, or not used for too long."""
    return now >= session.ends_at or now - session.seen_at >= idle


def counts_as_seen(session: Session, now: datetime) -> bool:
    """Whether it was seen so lately that nothing has to be written."""
    return now - session.seen_at < SEEN_EVERY


def csrf_token(secret: str) -> str:
    """What a page of this server sends beside the cookie; whoever cannot read the cookie cannot make it."""
    return derived(secret, "csrf")


def derived(secret: str, purpose: str) -> str:
    """Another secret out of this one, 43 characters of base64url, that does not lead back to it."""
    made = hmac.new(secret.encode("utf-8", "surrogatepass"), purpose.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(made).rstrip(b"=").decode()
