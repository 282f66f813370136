"""What each route needs: one table, deny by default.

`PUBLIC` routes tell nothing about anybody's business. A test walks the application and fails on a route
that is not here.
"""

from collections.abc import Mapping
from typing import Final

PUBLIC: Final = "public"

ROUTE_PERMISSIONS: Final[Mapping[tuple[str, str], str]] = {
    ("GET", "/"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/health"): PUBLIC,
    ("GET", "/health/live"): PUBLIC,
    ("GET", "/health/ready"): PUBLIC,
    ("GET", "/ready"): PUBLIC,
    ("GET", "/cache-status"): PUBLIC,
    ("GET", "/metrics"): "metrics.read",
    ("POST", "/v1/chat/completions"): "llm.call",
    ("POST", "/v1/completions"): "llm.call",
    ("POST", "/v1/embeddings"): "llm.call",
    ("POST", "/v1/messages"): "llm.call",
    ("POST", "/v1/messages/count_tokens"): "llm.call",
    ("POST", "/v1beta/models/{name:path}:generateContent"): "llm.call",
    ("POST", "/v1beta/models/{name:path}:streamGenerateContent"): "llm.call",
    ("POST", "/v1beta/models/{name:path}:countTokens"): "llm.call",
    ("POST", "/v1beta/models/{name:path}:embedContent"): "llm.call",
    ("POST", "/v1beta/models/{name:path}:batchEmbedContents"): "llm.call",
    ("POST", "/v1/models/{name:path}:generateContent"): "llm.call",
    ("POST", "/v1/models/{name:path}:streamGenerateContent"): "llm.call",
    ("POST", "/v1/models/{name:path}:countTokens"): "llm.call",
    ("POST", "/v1/models/{name:path}:embedContent"): "llm.call",
    ("POST", "/v1/models/{name:path}:batchEmbedContents"): "llm.call",
    ("GET", "/v1beta/models"): "models.read",
    ("GET", "/v1beta/models/{name:path}"): "models.read",
    ("POST", "/api/v1/llm/complete"): "llm.call",
    ("GET", "/v1/models"): "models.read",
    ("GET", "/v1/models/{name:path}"): "models.read",
    ("POST", "/api/v1/routing/explain"): "routing.explain",
    ("GET", "/api/v1/providers/status"): "providers.read",
    ("PUT", "/api/v1/providers/{name}/state"): "providers.write",
    ("PUT", "/api/v1/providers/{name}/breaker"): "providers.write",
    ("GET", "/api/v1/keys"): "keys.read",
    ("POST", "/api/v1/keys"): "keys.write",
    ("DELETE", "/api/v1/keys/{key_id}"): "keys.write",
    ("GET", "/api/v1/catalog"): "catalog.read",
    ("GET", "/api/v1/catalog/statistics"): "catalog.read",
    ("GET", "/api/v1/catalog/{id:path}"): "catalog.read",
    ("GET", "/api/v1/usage"): "usage.read",
    ("GET", "/api/v1/requests"): "usage.read",
    ("GET", "/api/v1/requests/{request_id}"): "usage.read",
    ("GET", "/api/v1/config"): "config.read",
    ("GET", "/api/v1/routes"): "config.read",
    ("GET", "/api/v1/routes/{name}"): "config.read",
    ("PUT", "/api/v1/routes/{name}"): "config.write",
    ("DELETE", "/api/v1/routes/{name}"): "config.write",
}
