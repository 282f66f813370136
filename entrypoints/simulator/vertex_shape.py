"""Vertex AI's addresses: Gemini's, Anthropic's and OpenAI's shapes behind one host, with its own checks.

After the REST reference of `publishers.models` (`generateContent`, `predict`, `rawPredict`,
`streamRawPredict`), "Request predictions with Claude models" (`anthropic_version` in the body, no model
there), "Text embeddings API" and "Call Vertex AI models by using OpenAI libraries" of Google Cloud.
"""

from typing import Any

import msgspec

from entrypoints.simulator.connection import Request
from entrypoints.simulator.conversation import Embedded, Rejected
from entrypoints.simulator.routes import Route

ANTHROPIC_VERSION = "vertex-2023-10-16"
_encode = msgspec.json.encode


def admit(route: Route, request: Request, body: dict[str, Any]) -> None:
    """Raises Rejected for a proof or a body that the service does not take at this address."""
    bearer = (request.header(b"authorization") or "").lower().startswith("bearer ")
    express = "/projects/" not in route.path and request.header(b"x-goog-api-key")
    if not bearer and not express:
        raise Rejected(401, "Request is missing required authentication credential.")
    if route.shape == "anthropic":
        if body.get("anthropic_version") != ANTHROPIC_VERSION:
            raise Rejected(400, f'anthropic_version: Field required ("{ANTHROPIC_VERSION}")')
        if "model" in body and route.operation != "count_tokens":
            raise Rejected(400, "model: Extra inputs are not permitted")
    if route.path.endswith("/endpoints/openapi/chat/completions") and "/" not in str(body.get("model")):
        raise Rejected(400, "model: expected {publisher}/{model}")


def texts_to_predict(body: dict[str, Any]) -> tuple[list[str], int | None]:
    """Texts to embed and the wanted number of dimensions. Raises Rejected when there are none."""
    instances = body.get("instances")
    if not isinstance(instances, list) or not instances:
        raise Rejected(400, "Invalid instances: expected at least one")
    given = [one.get("content") for one in instances if isinstance(one, dict)]
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) != len(instances):
        raise Rejected(400, "Invalid instances: each needs a `content` string field")
    return texts, (body.get("parameters") or {}).get("outputDimensionality")


def predict_body(embedded: Embedded) -> bytes:
    """Embeddings with the tokens of each text; their sum is what is billed."""
    count = len(embedded.vectors)
    shares = [embedded.tokens.input // count] * count
    shares[0] += embedded.tokens.input - sum(shares)
    predictions = [
        {"embeddings": {"values": vector, "statistics": {"token_count": tokens, "truncated": False}}}
        for vector, tokens in zip(embedded.vectors, shares, strict=True)
    ]
    return _encode({"predictions": predictions, "metadata": {"billableCharacterCount": 0}})
