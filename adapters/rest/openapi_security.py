"""Security schemes of an OpenAPI document as the `authentication` of an integration, secrets left open."""

from collections.abc import Mapping
from typing import Any

from adapters.rest.openapi_document import Document


def authentication_of(document: Document) -> dict[str, Any] | None:
    """The first scheme, in the order the document demands them, that we know how to do; None: there is
    none. Raises InvalidConfiguration."""
    schemes = document.section("components", "securitySchemes")
    for name in (*_demanded(document.root), *schemes):
        if name in schemes and (found := _authentication(document.resolved(schemes[name]))) is not None:
            return found
    return None


def _demanded(root: Mapping[str, Any]) -> list[str]:
    demands = root.get("security")
    if not isinstance(demands, list):
        return []
    # Several schemes in one demand are all needed: only one of them can be ours.
    return [next(iter(demand)) for demand in demands if isinstance(demand, Mapping) and len(demand) == 1]


def _authentication(scheme: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = scheme.get("type")
    if kind == "apiKey" and scheme.get("in") in ("header", "query"):
        return {"type": "api_key", "in": scheme["in"], "name": str(scheme.get("name", ""))}
    if kind == "http":
        how = str(scheme.get("scheme", "")).lower()
        return {"type": how} if how in ("basic", "bearer") else None
    if kind == "mutualTLS":
        return {"type": "mtls"}
    if kind == "oauth2":
        return _oauth2(scheme.get("flows"))
    return None


def _oauth2(flows: Any) -> dict[str, Any] | None:
    if not isinstance(flows, Mapping):
        return None
    for name, ours in (
        ("clientCredentials", "oauth2_client_credentials"),
        ("authorizationCode", "oauth2_refresh"),
    ):
        flow = flows.get(name)
        if not isinstance(flow, Mapping) or not isinstance(flow.get("tokenUrl"), str):
            continue
        url = flow.get("refreshUrl") if ours == "oauth2_refresh" else None
        made = {"type": ours, "token_url": url if isinstance(url, str) else flow["tokenUrl"]}
        scopes = flow.get("scopes")
        if isinstance(scopes, Mapping) and scopes and ours == "oauth2_client_credentials":
            return {**made, "scopes": list(scopes)[:100]}
        return made
    return None
