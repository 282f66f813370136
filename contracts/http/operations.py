"""Short words for operations, so that the paths read as data."""

from typing import Any

from contracts.http.words import Schema, ref, text

PUBLIC: list[dict[str, list[str]]] = []


def json_answer(schema: Schema, description: str, *, with_id: bool = True) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }
    if with_id:
        response["headers"] = {"x-request-id": {"$ref": "#/components/headers/x-request-id"}}
    return response


def operation(
    operation_id: str,
    tag: str,
    summary: str,
    responses: dict[str, Any],
    *,
    parameters: list[dict[str, Any]] | None = None,
    body: str | None = None,
    public: bool = False,
    description: str = "",
) -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": operation_id, "tags": [tag], "summary": summary}
    if description:
        made["description"] = description
    if parameters:
        made["parameters"] = parameters
    if body is not None:
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": ref(body)}},
        }
    if public:
        made["security"] = PUBLIC
    return {**made, "responses": responses}


def path_parameter(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": text()}


def query_parameter(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}
