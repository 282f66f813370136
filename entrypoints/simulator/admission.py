"""What is looked at before a request is answered: its path, its key, whether its body can be read."""

from typing import Any

import msgspec

from entrypoints.simulator import aws_proof, azure_shape, cloud_routes, vertex_shape
from entrypoints.simulator.connection import Request
from entrypoints.simulator.conversation import Rejected
from entrypoints.simulator.forms import form_of
from entrypoints.simulator.routes import BATCHES, Route
from entrypoints.simulator.side_operations import OPERATIONS

_BAD_KEY = "bad-key"


def decoded(request: Request, route: Route) -> tuple[dict[str, Any] | None, bool]:
    """The JSON object of a body, or its form, and whether there was something else."""
    body = request.body
    if not body:
        return None, False
    if route.operation in OPERATIONS and (form := form_of(request)) is not None:
        return form, False
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, True
    return (decoded, False) if isinstance(decoded, dict) else (None, True)


def key_of(request: Request, route: Route) -> str:
    """The API key, wherever the shape has it; empty without one."""
    for name, value in request.headers:
        if name == b"authorization":
            scheme, _, key = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                return key.strip()
            if key_id := aws_proof.key_id_of(value.decode("latin-1")):
                return key_id
        elif name in (b"x-api-key", b"api-key", b"x-goog-api-key"):
            return value.decode("latin-1").strip()
    return route.key


def admit(request: Request, route: Route, key: str, broken: bool, body: dict[str, Any]) -> None:
    """Raises Rejected for what no provider would look into."""
    if not route.operation:
        raise Rejected(404, f"Invalid URL ({request.method} {route.path})", kind=None)
    if not key:
        raise Rejected(401, "You didn't provide an API key.")
    if key == _BAD_KEY:
        raise Rejected(401, "Incorrect API key provided: API key not valid.")
    if request.method != route.method:
        raise Rejected(405, f"Not allowed to {request.method} on {route.path}", kind="invalid_request_error")
    if broken and route.operation != BATCHES:
        raise Rejected(400, "We could not parse the JSON body of your request.", kind=None)
    if route.cloud == cloud_routes.AZURE:
        azure_shape.admit(route, request)
    elif route.cloud == cloud_routes.BEDROCK:
        aws_proof.admit(request)
    elif route.cloud == cloud_routes.VERTEX:
        vertex_shape.admit(route, request, body)
