"""What the audit trail says: one entry per act, access or refusal, as flat values.

No prompt, no answer, no secret and no user's name ever stands here: an entry is kept for years and cannot be
changed. `details` is a short JSON object that whoever made the entry wrote; to this room it is text.
"""

from typing import Final, NamedTuple

ACT: Final = "act"
"""Somebody changes something. Two entries: `begun` before it is done, then one with what came of it."""
READ: Final = "read"
"""Somebody is shown what is not everybody's to see."""
ACCESS: Final = "access"
"""A request that reached, or might have reached, something outside."""
ACCESS_ACTIONS: Final = "llm."
"""How the actions of accesses begin."""
DENIED: Final = "denied"
"""Somebody was turned away; one entry for all that were alike within a minute."""
KINDS: Final = (ACT, READ, ACCESS, DENIED)

BEGUN: Final = "begun"
DONE: Final = "done"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"
"""Nobody saw the end: the caller left, or the process ended in between."""

TEXT_LENGTH_MAX: Final = 256
DETAILS_LENGTH_MAX: Final = 4096


class AuditDraft(NamedTuple):
    """An entry that has no place in a chain yet. Times are UTC epoch microseconds; no text holds NUL."""

    tenant_id: str
    """Whose chain it belongs to: the tenant of whoever acts."""
    at_us: int
    kind: str
    action: str
    """As `keys.create` or `llm.chat`."""
    outcome: str
    """`begun`, `done`, `failed`, `unknown`, an error's code; of accesses, what became of the request."""
    actor_kind: str
    """`key`, `token`, `session`, `local`, or `nobody`: the caller was not known."""
    actor_id: str
    actor_name: str
    role: str
    address: str
    """Where the caller called from; empty: from this machine, or not known."""
    subject: str
    """What it was done to."""
    request_id: str
    refers_to: int
    """Of an outcome: the `seq` of the entry that says it was begun; 0: none."""
    details: str


class AuditEntry(NamedTuple):
    """An entry at its place: the `seq`-th of its tenant, counted from 1."""

    seq: int
    written_at_us: int
    """When it was put into the chain; never earlier than the entry before it."""
    draft: AuditDraft
    hash: bytes
    """Of this entry and, through the one before it, of all before it."""

    @property
    def entry_id(self) -> str:
        """Names the entry in this installation."""
        return entry_id(self.draft.tenant_id, self.seq)


def entry_id(tenant_id: str, seq: int) -> str:
    """Names the place of an entry in this installation."""
    return f"{tenant_id}.{seq}"


def parse_entry_id(text: str) -> tuple[str, int] | None:
    """Tenant and `seq`; None for what is no entry's id."""
    tenant_id, dot, digits = text.rpartition(".")
    if not (
        dot
        and tenant_id
        and tenant_id.isprintable()
        and digits.isascii()
        and digits.isdecimal()
        and len(digits) <= 18
    ):
        return None
    seq = int(digits)
    return (tenant_id, seq) if seq and str(seq) == digits else None


def canonical(draft: AuditDraft) -> bytes:
    """What is hashed of an entry beside its place: each field as `<length>:<text>,`, in the order above.

    Lengths count Unicode code points, numbers are decimal digits, the whole is UTF-8. No two drafts have the
    same. Raises UnicodeEncodeError for text that is not Unicode.
    """
    (a, at_us, b, c, d, e, f, g, h, i, j, k, refers_to, m) = draft
    at, refers = str(at_us), str(refers_to)
    # Written out, because one is made for every request.
    return (
        f"{len(a)}:{a},{len(at)}:{at},{len(b)}:{b},{len(c)}:{c},{len(d)}:{d},{len(e)}:{e},{len(f)}:{f},"
        f"{len(g)}:{g},{len(h)}:{h},{len(i)}:{i},{len(j)}:{j},{len(k)}:{k},{len(refers)}:{refers},"
        f"{len(m)}:{m},"
    ).encode()


def bounded(text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """Text as an entry may hold it: no control characters, no broken Unicode, and not too long."""
    if text.isascii() and text.isprintable():
        return text[:length_max]
    cleaned = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:length_max])
    return cleaned.encode("utf-8", "replace").decode()
