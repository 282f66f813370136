"""Lists of models in each shape that has one."""

import msgspec

from entrypoints.simulator import anthropic_shape, gemini_shape, openai_shape
from entrypoints.simulator.conversation import Rejected
from entrypoints.simulator.routes import Route
from entrypoints.simulator.whole_answers import Unary


def listing(route: Route, listed: tuple[str, ...]) -> Unary:
    """All models, or the one that the path names. Raises Rejected when that one is not listed."""
    one = route.model
    if one is not None and one not in listed:
        raise Rejected(404, f"The model '{one}' does not exist", code="model_not_found", param="model")
    match route.shape:
        case "anthropic":
            body = anthropic_shape.models_body(listed)
        case "gemini":
            body = gemini_shape.models_body(listed)
        case _:
            body = openai_shape.models_body(listed)
    if one is not None:
        answer = msgspec.json.decode(body)
        body = msgspec.json.encode((answer.get("data") or answer.get("models"))[listed.index(one)])
    return Unary(body, None)
