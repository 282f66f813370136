"""Checkpoints: what the log was at a moment, as a text that is signed and kept elsewhere.

The form is that of C2SP `tlog-checkpoint` and `signed-note`: lines, a blank line, signatures.

    <origin>
    <leaves>
    <root, base64>
    time <UTC epoch microseconds>
    heads <tenants> <digest, base64>

    — <name of the key> <base64 of four bytes of key id and the signature>
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from domain.audit.chain import ChainHead

ED25519: Final = 1
_DASH: Final = "\u2014 "
_NAME: Final = re.compile(r"[^\s+]{1,100}")


class Checkpoint(NamedTuple):
    """`heads` digests how far each tenant's chain went in the log then; see `heads_digest`."""

    origin: str
    size: int
    root: bytes
    at_us: int
    tenants: int
    heads: bytes


class NoteSignature(NamedTuple):
    name: str
    key_id: bytes
    signature: bytes


class VerifierKey(NamedTuple):
    """What checks signatures: `<name>+<key id, hexadecimal>+<base64 of 1 and the Ed25519 public key>`."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([ED25519]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(bytes([ED25519]) + self.public)}"


def parse_verifier_key(text: str) -> VerifierKey:
    """Raises ValueError for what is no key of this kind, or whose id is not its own."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _bytes(encoded)
    if not _NAME.fullmatch(name) or len(raw) != 33 or raw[0] != ED25519:
        raise ValueError("not an Ed25519 verifier key: <name>+<8 hexadecimal digits>+<base64>")
    key = VerifierKey(name, raw[1:])
    if key.key_id.hex() != key_id:
        raise ValueError("the verifier key's id does not belong to its key")
    return key


def heads_digest(heads: Mapping[str, ChainHead]) -> bytes:
    """Over `<tenant> <seq> <hash, hexadecimal>` lines, by tenant."""
    lines = (f"{tenant} {head.seq} {head.hash.hex()}\n" for tenant, head in sorted(heads.items()))
    return hashlib.sha256("".join(lines).encode()).digest()


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """What is signed, its last line end included."""
    return (
        f"{checkpoint.origin}\n{checkpoint.size}\n{_base64(checkpoint.root)}\n"
        f"time {checkpoint.at_us}\nheads {checkpoint.tenants} {_base64(checkpoint.heads)}\n"
    )


def parse_checkpoint(text: str) -> Checkpoint:
    """Raises ValueError for what `checkpoint_text` does not write."""
    lines = text.split("\n")
    if len(lines) != 6:
        raise ValueError("a checkpoint has five lines")
    origin, size, root, time, heads, _ = lines
    try:
        _, at_us = time.split(" ")
        _, tenants, digest = heads.split(" ")
        made = Checkpoint(origin, int(size), _bytes(root), int(at_us), int(tenants), _bytes(digest))
    except ValueError:
        raise ValueError("a line of the checkpoint is not as it should be") from None
    if checkpoint_text(made) != text or made.size < 0 or len(made.root) != 32:
        raise ValueError("a line of the checkpoint is not as it should be")
    return made


def signed_note(text: str, key: VerifierKey, signature: bytes) -> str:
    """The text with one signature."""
    return f"{text}\n{_DASH}{key.name} {_base64(key.key_id + signature)}\n"


def parse_note(note: str) -> tuple[str, list[NoteSignature]]:
    """The text that was signed, and its signatures. Raises ValueError."""
    text, blank, rest = note.rpartition("\n\n")
    if not blank or not rest.endswith("\n"):
        raise ValueError("a signed note has a blank line before its signatures")
    signatures = []
    for line in rest[:-1].split("\n"):
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        raw = _bytes(encoded)
        if not line.startswith(_DASH) or len(raw) < 5:
            raise ValueError("a signature line is not as it should be")
        signatures.append(NoteSignature(name, raw[:4], raw[4:]))
    return f"{text}\n", signatures


def split_notes(text: str) -> list[str]:
    """The notes of a file that holds one after the other, with or without blank lines between them."""
    notes: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if notes and not lines and line.startswith(_DASH):
            notes[-1] += f"{line}\n"  # one more signature of the note before
        elif line or lines:
            lines.append(line)
            if line.startswith(_DASH):
                notes.append("\n".join(lines) + "\n")
                lines = []
    return notes if not lines else [*notes, "\n".join(lines) + "\n"]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
