"""API keys: what is kept about one, and the text a caller holds.

The text is `ik_<env>_<id>_<secret>_<check>`: a fixed prefix that secret scanners find, an id that is
looked up, a 256-bit secret that is only kept as a keyed hash, and a checksum, so that a typo is told
apart from an unknown key without asking anything.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_ID_LENGTH: Final = 12
SECRET_SIZE_BYTES: Final = 32
SECRET_LENGTH: Final = 43
"""Base62 digits that hold any 32 bytes."""
CHECK_LENGTH: Final = 6
KEY_LENGTH_MAX: Final = 128
OWN_SCHEME: Final = "own"
"""How a key of our own making is hashed; imported ones are in `imported_key`."""
KEY_SHAPE: Final = "ik_<env>_<id>_<secret>_<check>"

_KEY = re.compile(
    rf"(ik_([a-z0-9]{{1,12}})_([0-9A-Za-z]{{{KEY_ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}}))"
    rf"_([0-9A-Za-z]{{{CHECK_LENGTH}}})"
)


class ParsedKey(NamedTuple):
    """The parts of a well-formed key. It may still be unknown, expired or revoked."""

    env: str
    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"ParsedKey(env={self.env!r}, key_id={self.key_id!r}, secret=hidden)"


class OldSecret(NamedTuple):
    """The secret before the last rotation. It lets its holder in `until` then, at which moment it does no
    more."""

    hash: bytes
    pepper_version: int
    scheme: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is kept about a key. `hash` is keyed by the pepper of that version; the secret is not here.

    `permissions` narrows what the role allows (None: all of it). `allowed_models` limits routes, targets
    and `provider/*` patterns (None: all of the tenant's). Times are aware UTC. `scheme` says what `hash` is
    of. `note` is for people: where an imported key came from, and what it had spent there. `team`, `project`
    and `cost_center` say whom its cost is counted for.

    `networks` are CIDRs it may be used from (empty: anywhere). `assertable` are the users and agents it may
    name, `integrations` what it may reach, `managed_budgets` the budgets it may change (None: any). What
    makes, changes and revokes keys is named by its key id in `created_by` and `revoked_by`.
    """

    key_id: str
    tenant_id: str
    name: str
    role: str
    hash: bytes
    pepper_version: int
    created_at: datetime
    permissions: frozenset[str] | None = None
    allowed_models: frozenset[str] | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    env: str = "live"
    scheme: str = OWN_SCHEME
    note: str = ""
    team: str = ""
    project: str = ""
    cost_center: str = ""
    networks: tuple[str, ...] = ()
    assertable: frozenset[str] | None = None
    integrations: frozenset[str] | None = None
    managed_budgets: frozenset[str] | None = None
    old_secret: OldSecret | None = None
    rotated_at: datetime | None = None
    created_by: str = ""
    revoked_by: str = ""
    revoked_reason: str = ""
    last_used_at: datetime | None = field(default=None, compare=False)
    """To the minute or so; known to whoever asked for one key or a page of them."""
    revision: int = field(default=0, compare=False)
    """The generation of its last change; the store counts."""

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def live(self, now: datetime) -> bool:
        """Whether the key lets its holder in at `now`."""
        return self.revoked_at is None and not self.expired(now)

    def state(self, now: datetime) -> str:
        """`live`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expired(now) else "live"

    def overlap(self, now: datetime) -> OldSecret | None:
        """The secret before the last rotation while it still lets its holder in."""
        old = self.old_secret
        return old if old is not None and now < old.until else None


def parse_key(text: str) -> ParsedKey | None:
    """The parts of a key, or None for anything that is not exactly one."""
    if len(text) > KEY_LENGTH_MAX:
        return None
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    body, env, key_id, secret, check = match.groups()
    return ParsedKey(env, key_id, secret) if check == _check(body) else None


def format_key(env: str, key_id: str, secret: bytes) -> str:
    """The text of a key. `env` is 1-12 of a-z0-9, `key_id` 12 base62 digits, `secret` 32 bytes.

    Raises:
        ValueError: a part is not of that shape.
    """
    if len(secret) != SECRET_SIZE_BYTES:
        raise ValueError(f"a secret has {SECRET_SIZE_BYTES} bytes, not {len(secret)}")
    body = f"ik_{env}_{key_id}_{_base62(int.from_bytes(secret, 'big'), SECRET_LENGTH)}"
    text = f"{body}_{_check(body)}"
    if _KEY.fullmatch(text) is None:
        raise ValueError("env must be 1-12 of a-z0-9 and key_id 12 base62 digits")
    return text


def is_key_id(text: str) -> bool:
    """Whether a key could have this id."""
    return len(text) == KEY_ID_LENGTH and all(letter in BASE62 for letter in text)


def key_id_from(draw: Callable[[int], int]) -> str:
    """A new key id; `draw(n)` returns an even draw from 0 to n-1."""
    return "".join(BASE62[draw(len(BASE62))] for _ in range(KEY_ID_LENGTH))


def _check(body: str) -> str:
    # CRC-32 notices every change of one character; fixed-width digits keep the text one-to-one.
    return _base62(zlib.crc32(body.encode()), CHECK_LENGTH)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits))
