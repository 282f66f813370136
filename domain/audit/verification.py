"""Checking a trail against itself and against checkpoints that were kept elsewhere.

What is fed comes in the order of the log; entries that are in no checkpoint yet come after all others.
A finding names the first entry that is wrong; what follows it in the same chain is not reported again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from domain.audit.anchor import Anchor, covers
from domain.audit.chain import ChainHead, empty_chain, hash_of
from domain.audit.checkpoint import Checkpoint, VerifierKey, heads_digest, parse_checkpoint, parse_note
from domain.audit.entry import AuditEntry, entry_id
from domain.audit.merkle import Frontier

FINDINGS_MAX: Final = 100

CheckSignature = Callable[[bytes, bytes, bytes], bool]
"""Whether public key, message and signature (Ed25519) belong together."""


class Finding(NamedTuple):
    """`where` is an entry's id, or `checkpoint <size>`; `what` is for people."""

    where: str
    what: str


class Signatures:
    """Which signed notes count: those of known keys. `problems` says why one does not."""

    def __init__(self, keys: Sequence[VerifierKey], check: CheckSignature) -> None:
        self._keys = {key.key_id: key for key in keys}
        self._check = check

    def signed_text(self, note: str) -> str:
        """The text, if one of the keys signed it. Raises ValueError that says what is wrong."""
        text, signatures = parse_note(note)
        for name, key_id, signature in signatures:
            key = self._keys.get(key_id)
            if key is not None and key.name == name and self._check(key.public, text.encode(), signature):
                return text
        known = [name for name, key_id, _ in signatures if key_id in self._keys]
        raise ValueError("its signature is wrong" if known else "no known key signed it")


class TrailCheck:
    """Takes a trail entry by entry, and says what is wrong with it. Its memory grows with tenants only."""

    def __init__(
        self,
        signatures: Signatures,
        *,
        kept_elsewhere: Iterable[str] = (),
        anchors: Iterable[Anchor] = (),
        prefix: Frontier | None = None,
        removed_until: int = 0,
    ) -> None:
        """`kept_elsewhere` are signed checkpoints from off the box; those of the trail itself are fed to
        `note`. `prefix` is the part of the log whose entries are gone, which the first checkpoint after it
        confirms; from leaf `removed_until` on none is gone."""
        self.findings: list[Finding] = []
        self.entries = 0
        self.confirmed_size = 0
        """Up to which leaf a checkpoint with a good signature confirmed the log."""
        self._frontier = prefix or Frontier()
        self._begins = self._last_removed = self._frontier.size
        self._removed_until = max(removed_until, self._begins)
        self._signatures = signatures
        self._elsewhere = self._read(kept_elsewhere)
        self._due = 0
        self._doubtful: set[str] = set()
        self._log_broken = False
        self._unconfirmed = ""
        self._heads: dict[str, ChainHead] = {}
        self._cut: dict[str, ChainHead] = {}
        self._in_log: dict[str, ChainHead] = {}
        for anchor in sorted(anchors, key=lambda each: each.seq):
            self._take_anchor(anchor)
        self._pass_checkpoints()

    def _find(self, where: str, what: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(where, what))

    def _read(self, notes: Iterable[str]) -> list[Checkpoint]:
        found: dict[int, Checkpoint] = {}
        for number, note in enumerate(notes, 1):
            try:
                checkpoint = parse_checkpoint(self._signatures.signed_text(note))
            except ValueError as error:
                self._find(f"checkpoint no. {number}", f"does not count: {error}")
                continue
            other = found.setdefault(checkpoint.size, checkpoint)
            if other.root != checkpoint.root:
                self._find(f"checkpoint {checkpoint.size}", "contradicts another checkpoint of this size")
        return [found[size] for size in sorted(found)]

    def _take_anchor(self, anchor: Anchor) -> None:
        where = entry_id(anchor.tenant_id, anchor.seq)
        try:
            if not covers(self._signatures.signed_text(anchor.note), anchor):
                raise ValueError("the signed text does not speak of it")
        except ValueError as error:
            self._find(where, f"entries up to here were removed; what should say so does not count: {error}")
            return
        cut = ChainHead(anchor.seq, anchor.hash, 0)
        for heads in (self._cut, self._heads, self._in_log):
            heads[anchor.tenant_id] = cut

    def entry(self, entry: AuditEntry, index: int | None) -> None:
        """The next entry, with its number in the log; None: it is not in the log yet."""
        self.entries += 1
        self._link(entry)
        if index is None:
            return
        self._unconfirmed = self._unconfirmed or entry.entry_id
        self._leaf(entry.hash, index, entry.entry_id)
        self._in_log[entry.draft.tenant_id] = ChainHead(entry.seq, entry.hash, entry.written_at_us)
        self._pass_checkpoints()

    def removed_leaf(self, index: int, hashed: bytes, tenant_id: str, seq: int) -> None:
        """A leaf whose entry is gone while neighbours in the log are still there."""
        cut = self._cut.get(tenant_id)
        if cut is None or seq > cut.seq:
            self._find(entry_id(tenant_id, seq), "the entry is missing; no anchor says that it was removed")
        self._last_removed = index + 1
        self._leaf(hashed, index, entry_id(tenant_id, seq))
        self._pass_checkpoints()

    def note(self, note: str) -> None:
        """A checkpoint of the trail's own, after the last entry it is about."""
        try:
            checkpoint = parse_checkpoint(self._signatures.signed_text(note))
        except ValueError as error:
            self._find(f"a checkpoint after leaf {self._frontier.size}", f"does not count: {error}")
            return
        if checkpoint.size != self._frontier.size:
            self._break_log(
                f"checkpoint {checkpoint.size}",
                f"{checkpoint.size} entries were checkpointed, {self._frontier.size} are there",
            )
            return
        self._compare(checkpoint)

    def _link(self, entry: AuditEntry) -> None:
        tenant, where = entry.draft.tenant_id, entry.entry_id
        head = self._heads.get(tenant) or empty_chain(tenant)
        self._heads[tenant] = ChainHead(entry.seq, entry.hash, entry.written_at_us)
        if tenant in self._doubtful:
            return
        if entry.seq > head.seq + 1:
            missing = entry_id(tenant, head.seq + 1)
            self._find(missing, f"the entry is missing; the next one that is there is {where}")
        elif entry.seq <= head.seq:
            self._find(where, f"the entry comes again, or out of order, after no. {head.seq}")
        elif entry.written_at_us < head.written_at_us:
            self._find(where, "it says it was written before the one before it")
        elif _rightly_linked(head, entry):
            return
        else:
            self._find(where, "the entry, or the one before it, is not what was written: its hash differs")
        self._doubtful.add(tenant)

    def _leaf(self, hashed: bytes, index: int, where: str) -> None:
        if index != self._frontier.size:
            self._break_log(
                where, f"it should be leaf {self._frontier.size} of the log and says it is {index}"
            )
        self._frontier.append(hashed)

    def _break_log(self, where: str, what: str) -> None:
        # Whatever comes after a wrong leaf is wrong as well.
        if not self._log_broken:
            self._log_broken = True
            self._find(where, what)

    def _pass_checkpoints(self) -> None:
        """Compares with every checkpoint of the size reached."""
        while self._due < len(self._elsewhere) and self._elsewhere[self._due].size <= self._frontier.size:
            due = self._elsewhere[self._due]
            self._due += 1
            if due.size == self._frontier.size:
                self._compare(due)

    def _compare(self, checkpoint: Checkpoint) -> None:
        where = f"checkpoint {checkpoint.size}"
        if checkpoint.root != self._frontier.root():
            first = f"from {self._unconfirmed} on" if self._unconfirmed else f"before leaf {checkpoint.size}"
            span = f"leaves {self.confirmed_size} to {checkpoint.size - 1}"
            self._break_log(where, f"an entry {first} ({span}) is not what was checkpointed")
        elif checkpoint.size >= self._removed_until and heads_digest(self._in_log) != checkpoint.heads:
            self._break_log(where, "the chains do not end where it says they did")
        else:
            self.confirmed_size, self._unconfirmed = checkpoint.size, ""

    def head(self, tenant_id: str, head: ChainHead) -> None:
        """After all entries: where the store says a tenant's chain ends."""
        seen = self._heads.get(tenant_id) or empty_chain(tenant_id)
        if tenant_id in self._doubtful or (seen.seq, seen.hash) == (head.seq, head.hash):
            return
        self._find(
            entry_id(tenant_id, min(seen.seq, head.seq) + 1),
            f"the chain ends with no. {seen.seq}; the store says it ends with no. {head.seq}",
        )

    def end(self) -> list[Finding]:
        """After everything: also what checkpoints say was there and is not."""
        if self._last_removed != self._removed_until:
            self._find(f"leaf {self._removed_until}", "it should be one of removed entries, and is not")
        left, size = self._elsewhere[self._due :], self._frontier.size
        if left:
            what = f"the log was cut off: {left[-1].size} entries were checkpointed, {size} are left"
            self._find(f"checkpoint {left[-1].size}", what)
        return self.findings


def _rightly_linked(head: ChainHead, entry: AuditEntry) -> bool:
    try:
        return hash_of(head.hash, entry) == entry.hash
    except UnicodeEncodeError:
        return False
