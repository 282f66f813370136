"""The signed list of a tenant's credentials: what is missing, older or foreign is noticed.

Envelopes prove that a row is whole and in its place. They cannot prove that it is still there, or that it is
the newest: whoever writes to the database can delete a row, or put back what stood there last month. The
manifest lists every credential with its version and digest and counts up; it is signed with a key that the
database holds only in an envelope. Whoever puts back rows and manifest together is found by the counter that
each instance keeps outside of the database.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.errors import CredentialDamaged
from domain.vault.credential import OWN_TENANT, Change, StoredCredential, check_room

_HEAD: Final = "interchange vault manifest 1"


class Listed(NamedTuple):
    """What the manifest says of one credential."""

    version: int
    digest: bytes


class SignedManifest(NamedTuple):
    """As it is stored."""

    body: bytes
    signature: bytes

    @property
    def digest(self) -> bytes:
        """Tells one from another, without the signature."""
        return hashlib.sha256(self.body).digest()


class Finding(NamedTuple):
    """Something that should not be. `code` is `missing`, `foreign`, `changed`, `unreadable`, `manifest` or
    `rolled_back`."""

    code: str
    tenant_id: str
    credential_id: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Of one tenant. `counter` grows by one with every change."""

    tenant_id: str
    counter: int = 0
    listed: Mapping[str, Listed] = field(default_factory=dict)

    def body(self) -> bytes:
        """What is signed: lines of text, sorted, the same for the same content."""
        lines = [_HEAD, f"tenant {self.tenant_id}", f"counter {self.counter}"]
        lines += [
            f"{credential_id} {entry.version} {entry.digest.hex()}"
            for credential_id, entry in sorted(self.listed.items())
        ]
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def parse(cls, body: bytes) -> "Manifest":
        """Raises ValueError for what `body` would not have written."""
        lines = body.decode().split("\n")
        if len(lines) < 4 or lines[0] != _HEAD or not lines[1].startswith("tenant "):
            raise ValueError("not a manifest")
        listed: dict[str, Listed] = {}
        for line in lines[3:-1]:
            credential_id, version, digest = line.split(" ")
            listed[credential_id] = Listed(int(version), bytes.fromhex(digest))
        made = cls(
            tenant_id=lines[1].removeprefix("tenant "),
            counter=int(lines[2].removeprefix("counter ")),
            listed=listed,
        )
        if made.body() != body:
            raise ValueError("not a manifest")
        return made

    def revised(self, changes: Iterable[Change]) -> "Manifest":
        """The next one. Raises CredentialDamaged where a change builds on a row that is not listed as it is:
        signing that would bless what somebody else wrote."""
        listed = dict(self.listed)
        for change in changes:
            if change.expected is not None and not self.lists(change.credential_id, change.expected):
                raise CredentialDamaged(
                    f"credential {change.credential_id} is not what the manifest of tenant "
                    f"{self.tenant_id!r} lists; see `interchange credentials verify`"
                )
            if change.row is None:
                listed.pop(change.credential_id, None)
            else:
                listed[change.credential_id] = Listed(change.row.version, change.row.digest)
        if self.tenant_id != OWN_TENANT:
            check_room(self.tenant_id, len(listed), 0)
        return Manifest(tenant_id=self.tenant_id, counter=self.counter + 1, listed=listed)

    def lists(self, credential_id: str, digest: bytes) -> bool:
        entry = self.listed.get(credential_id)
        return entry is not None and entry.digest == digest

    def findings(self, rows: Sequence[StoredCredential]) -> list[Finding]:
        """How the rows of the tenant differ from it."""
        found: list[Finding] = []
        there = {row.credential_id: row for row in rows}
        for credential_id, entry in sorted(self.listed.items()):
            row = there.get(credential_id)
            if row is None:
                found.append(self._finding("missing", credential_id, "is listed and not there"))
            elif row.version != entry.version:
                text = f"is of version {row.version}, listed is {entry.version}"
                found.append(self._finding("rolled_back", credential_id, text))
            elif row.digest != entry.digest:
                found.append(self._finding("changed", credential_id, "is not what was stored"))
        foreign = sorted(set(there) - set(self.listed))
        return found + [self._finding("foreign", each, "is there and not listed") for each in foreign]

    def _finding(self, code: str, credential_id: str, what: str) -> Finding:
        return Finding(
            code, self.tenant_id, credential_id, f"credential {credential_id} of {self.tenant_id!r} {what}"
        )


def all_of(tenant_id: str, counter: int, rows: Iterable[StoredCredential]) -> Manifest:
    """What lists exactly these rows: for whoever accepts them as they are."""
    listed = {row.credential_id: Listed(row.version, row.digest) for row in rows}
    return Manifest(tenant_id=tenant_id, counter=counter, listed=listed)


class Pin(NamedTuple):
    """The newest manifest of a tenant that this instance saw."""

    counter: int
    digest: bytes


def pin_finding(pin: Pin | None, tenant_id: str, seen: Pin | None) -> Finding | None:
    """What the manifest of now and the one remembered say of each other; None: nothing is wrong."""
    if pin is None:
        return None
    if seen is None:
        return Finding("rolled_back", tenant_id, "", f"the manifest of tenant {tenant_id!r} is gone")
    if seen.counter < pin.counter:
        text = f"the manifest of tenant {tenant_id!r} went back from {pin.counter} to {seen.counter}"
        return Finding("rolled_back", tenant_id, "", text)
    if seen.counter == pin.counter and seen.digest != pin.digest:
        text = f"the manifest {seen.counter} of tenant {tenant_id!r} is another than was seen before"
        return Finding("rolled_back", tenant_id, "", text)
    return None
