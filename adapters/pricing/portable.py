"""Our own export format: a catalogue as JSON and back, without loss (see `domain.catalog.document`)."""

from typing import Final

import msgspec

from domain.catalog.document import from_document, to_document
from domain.catalog.offering import Catalog
from domain.errors import InvalidRequest

FORMAT: Final = "interchange"
IMPORT_BYTES_MAX: Final = 64 * 1024 * 1024


def export_catalog(catalog: Catalog) -> bytes:
    """Indented UTF-8 JSON in a fixed order, so that two exports can be compared line by line."""
    return msgspec.json.format(msgspec.json.encode(to_document(catalog)), indent=1) + b"\n"


def parse(data: bytes) -> Catalog:
    """The catalogue in an export. Raises InvalidRequest with the path of what is wrong."""
    if len(data) > IMPORT_BYTES_MAX:
        raise InvalidRequest(f"{FORMAT}: over {IMPORT_BYTES_MAX} bytes", param="data")
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InvalidRequest(f"{FORMAT}: not JSON: {error}", param="data") from error
    return from_document(document)
