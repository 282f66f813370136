"""Records of the trail as JSON lines: exports, which are checked without a database."""

import json
from typing import Any, Final

from application.audit_walk import Beginning, End, Note, PlacedEntry, Record, RemovedLeaf
from domain.audit.anchor import Anchor
from domain.audit.chain import ChainHead
from domain.audit.entry import AuditDraft, AuditEntry

VERSION: Final = 1
_TEXTS: Final = tuple(name for name in AuditDraft._fields if name not in ("at_us", "refers_to"))


def line_of(record: Record) -> str:
    """One line without its end."""
    return json.dumps(_object(record), separators=(",", ":"), ensure_ascii=False)


def _object(record: Record) -> dict[str, Any]:
    if isinstance(record, PlacedEntry):
        return {"record": "entry", "leaf": record.leaf, **entry_values(record.entry)}
    if isinstance(record, Note):
        return {"record": "checkpoint", "note": record.note}
    if isinstance(record, RemovedLeaf):
        return {"record": "removed", **record._asdict(), "hash": record.hash.hex()}
    if isinstance(record, End):
        return {
            "record": "end",
            "heads": {
                tenant_id: [head.seq, head.hash.hex(), head.written_at_us]
                for tenant_id, head in sorted(record.heads.items())
            },
        }
    return {
        "record": "beginning",
        "version": VERSION,
        "anchors": [{**each._asdict(), "hash": each.hash.hex()} for each in record.anchors],
        "size": record.size,
        "peaks": [peak.hex() for peak in record.peaks],
        "removed_until": record.removed_until,
    }


def entry_values(entry: AuditEntry) -> dict[str, Any]:
    """Every field of an entry by name; `read_record` gets the same entry back from them."""
    return {
        "seq": entry.seq,
        "written_at_us": entry.written_at_us,
        **entry.draft._asdict(),
        "hash": entry.hash.hex(),
    }


def read_record(line: str) -> Record:
    """What a line says. Raises ValueError for what `line_of` does not write."""
    try:
        found = json.loads(line)
        kind = found["record"]
        if kind == "entry":
            leaf = found["leaf"]
            return PlacedEntry(None if leaf is None else _number(leaf), _entry(found))
        if kind == "checkpoint":
            return Note(_text(found["note"]))
        if kind == "removed":
            return RemovedLeaf(
                _number(found["leaf"]),
                bytes.fromhex(found["hash"]),
                _text(found["tenant_id"]),
                _number(found["seq"]),
            )
        if kind == "end":
            heads = found["heads"].items()
            return End({name: ChainHead(seq, bytes.fromhex(hashed), us) for name, (seq, hashed, us) in heads})
        if kind == "beginning" and found["version"] == VERSION:
            return _beginning(found)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a record of an audit export: {type(error).__name__} {error}") from None
    raise ValueError(f"not a record that this version knows: {str(kind)[:40]!r}")


def _beginning(found: dict[str, Any]) -> Beginning:
    anchors = tuple(
        Anchor(
            _text(each["tenant_id"]), _number(each["seq"]), bytes.fromhex(each["hash"]), _text(each["note"])
        )
        for each in found["anchors"]
    )
    peaks = tuple(bytes.fromhex(peak) for peak in found["peaks"])
    return Beginning(anchors, _number(found["size"]), peaks, _number(found["removed_until"]))


def _entry(found: dict[str, Any]) -> AuditEntry:
    values = {name: _text(found[name]) for name in _TEXTS}
    draft = AuditDraft(**values, at_us=_number(found["at_us"]), refers_to=_number(found["refers_to"]))
    return AuditEntry(
        _number(found["seq"]), _number(found["written_at_us"]), draft, bytes.fromhex(found["hash"])
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a field that should be text is not")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a field that should be a number is not")
    return value
