"""Multipart forms as the simulated provider reads them, by the standard library's own parser."""

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, NamedTuple

from entrypoints.simulator.connection import Request


class File(NamedTuple):
    """A file of a form."""

    name: str
    content_type: str
    data: bytes


def form_of(request: Request) -> dict[str, Any] | None:
    """Fields by name, files as `File` and several of one name as a list; None for what is no form."""
    content_type = request.header(b"content-type")
    if not content_type.lower().startswith("multipart/form-data"):
        return None
    head = b"content-type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    fields: dict[str, Any] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition") or "").removesuffix("[]")
        data = part.get_payload(decode=True)
        content = data if isinstance(data, bytes) else b""
        filename = part.get_filename()
        value: Any = (
            content.decode() if filename is None else File(filename, part.get_content_type(), content)
        )
        if value in ("true", "false"):
            value = value == "true"
        if name in fields:
            before = fields[name]
            value = [*before, value] if isinstance(before, list) else [before, value]
        fields[name] = value
    return fields
