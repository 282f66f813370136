"""What instances tell each other of similar questions, as bytes."""

import json
import math
import struct
from itertools import pairwise
from typing import Final, NamedTuple

from application.ports.vector_index import IndexedVector
from domain.errors import InvalidRequest

VECTOR: Final = "vector"
LABEL: Final = "label"
_HEAD: Final = struct.Struct("<BHHHIqq")
_FORM: Final = 1
FEATURES_MAX: Final = 256
FEATURE_MAX: Final = 1e6
"""Of a pair; whatever is beyond was never measured, and would spoil what was learned."""


class ToldVector(NamedTuple):
    """`heard` is the log position its answer's request was asked at; `embedder_id` says what it can be
    compared with."""

    embedder_id: str
    vector: IndexedVector
    heard: int


class ToldLabel(NamedTuple):
    """A pair of questions whose answers were compared. `served`: it was an audit of a hit."""

    embedder_id: str
    tenant_id: str
    route: str
    features: tuple[float, ...]
    same: bool
    served: bool


def vector_data(told: ToldVector) -> bytes:
    """As a record's data."""
    embedder, tenant = told.embedder_id.encode(), told.vector.tenant_id.encode()
    one = told.vector
    head = _HEAD.pack(
        _FORM, len(embedder), len(tenant), len(one.partition), len(one.key), one.expires_at_us, told.heard
    )
    return head + embedder + tenant + one.partition + one.key + one.vector


def read_vector(data: bytes) -> ToldVector:
    """Raises InvalidRequest for what `vector_data` never makes."""
    try:
        form, embedder, tenant, partition, key, expires_at_us, heard = _HEAD.unpack_from(data)
        ends = [_HEAD.size]
        for size in (embedder, tenant, partition, key):
            ends.append(ends[-1] + size)
        parts = [data[start:end] for start, end in pairwise(ends)]
        if form != _FORM or ends[-1] >= len(data) or (len(data) - ends[-1]) % 4:
            raise InvalidRequest("not a vector of this version")
        return ToldVector(
            parts[0].decode(),
            IndexedVector(parts[2], parts[3], data[ends[-1] :], expires_at_us, parts[1].decode()),
            heard,
        )
    except (struct.error, UnicodeDecodeError):
        raise InvalidRequest("not a vector of this version") from None


def label_data(told: ToldLabel) -> bytes:
    """As a record's data."""
    return json.dumps([_FORM, *told]).encode()


def read_label(data: bytes) -> ToldLabel:
    """Raises InvalidRequest for what `label_data` never makes."""
    try:
        form, embedder_id, tenant_id, route, features, same, served = json.loads(data)
        numbers = tuple(float(number) for number in features)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise InvalidRequest("not a label of this version") from None
    told = ToldLabel(embedder_id, tenant_id, route, numbers, same, served)
    if form != _FORM or not _plausible(told):
        raise InvalidRequest("not a label of this version")
    return told


def _plausible(told: ToldLabel) -> bool:
    """What others wrote is not believed blindly: one number that is none would end all learning."""
    texts = (told.embedder_id, told.tenant_id, told.route)
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(told.same, bool)
        and isinstance(told.served, bool)
        and len(told.features) <= FEATURES_MAX
        and all(math.isfinite(number) and abs(number) <= FEATURE_MAX for number in told.features)
    )
