"""A login: for how long somebody who came by a browser is known, and when no longer."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.tenancy.identity import Identity
from domain.tenancy.principal import Principal

BY_KEY: Final = "interchange:key"
"""Stands where the issuer does in logins of people who showed a key of ours; no issuer has such a name."""
SECRET_CHARS: Final = 43
"""256 random bits in base64url."""
SESSIONS_MAX: Final = 100_000
PER_SUBJECT_MAX: Final = 20
SEEN_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login. `digest` is of the secret in the browser's cookie; `policy` is the fingerprint of what let
    it in: with another one the session is over. Of a login by key the identity's subject is the key's id and
    `policy` the version of its secret; what the key may do is looked up each time, and it is kept nowhere."""

    digest: str
    identity: Identity
    policy: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime

    @property
    def by_key(self) -> bool:
        """Whether a key of ours began it, and not an identity provider."""
        return self.identity.issuer == BY_KEY


def holder(principal: Principal) -> Identity:
    """Whoever holds a key, as a session keeps it."""
    return Identity(
        issuer=BY_KEY,
        subject=principal.key_id,
        tenant_id=principal.tenant_id,
        role=principal.role,
        scopes=None,
        name=principal.key_name,
        user="",
    )


def digest_of(secret: str) -> str:
    """What a secret is kept as. It has 256 bits of chance, so a fast digest is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_over(session: Session, now: datetime, idle: timedelta) -> bool:
    """Whether it ended by itself: too old, or not used for too long."""
    return now >= session.ends_at or now - session.seen_at >= idle


def renews(session: Session, now: datetime, *, attended: bool) -> bool:
    """Whether this use begins its idle time anew. What a page asks by itself is no use: a screen that nobody
    looks at would keep its login for ever. Uses within `SEEN_EVERY` of the last one are not written again."""
    return attended and now - session.seen_at >= SEEN_EVERY


def csrf_token(secret: str) -> str:
    """What a page of this server sends beside the cookie; whoever cannot read the cookie cannot make it."""
    return derived(secret, "csrf")


def derived(secret: str, purpose: str) -> str:
    """Another secret out of this one, 43 characters of base64url, that does not lead back to it."""
    made = hmac.new(secret.encode("utf-8", "surrogatepass"), purpose.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(made).rstrip(b"=").decode()
