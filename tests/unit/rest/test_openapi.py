"""Tools from OpenAPI documents, and from documents that mean no good."""

import json
from typing import Any

import pytest
from jsonschema_rs import validator_for

from adapters.rest.kind import RestConnectors
from adapters.rest.openapi import configuration_of_openapi, tools_of_openapi
from adapters.system.clock import SystemClock
from domain.errors import InvalidConfiguration
from tests.faults.scripted_server import ReceivedRequest
from tests.unit.rest.world import TOKEN, Reply, api, bearer, call

PETS = """
openapi: 3.0.3
info: {title: Pets, version: "1"}
servers: [{url: "https://{region}.pets.example/v2", variables: {region: {default: eu}}}]
security: [{oauth: [read]}]
paths:
  /pets/{petId}:
    parameters:
      - {$ref: "#/components/parameters/PetId"}
      - {name: X-Trace, in: header, schema: {type: string}}
    get:
      operationId: getPet
      summary: One pet.
      tags: [pets]
      parameters:
        - {name: fields, in: query, explode: false, schema: {type: array, items: {type: string}}}
        - {name: session, in: cookie, schema: {type: string}}
        - {name: Authorization, in: header, schema: {type: string}}
      responses: {200: {description: ok}}
    put:
      operationId: replace pet!
      requestBody: {$ref: "#/components/requestBodies/Pet"}
      responses: {200: {description: ok}}
  /pets:
    get:
      tags: [pets, lists]
      parameters:
        - {name: "page[size]", in: query, schema: {type: integer, minimum: 0, exclusiveMinimum: true}}
        - {name: filter, in: query, style: deepObject, schema: {type: object}}
      responses: {200: {description: ok}}
  /login:
    post:
      operationId: login
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, properties: {name: {type: string}}}
      responses: {200: {description: ok}}
  /photo:
    post:
      operationId: upload
      requestBody: {required: true, content: {multipart/form-data: {schema: {type: object}}}}
      responses: {200: {description: ok}}
components:
  parameters:
    PetId: {name: petId, in: path, required: true, schema: {type: string}}
  requestBodies:
    Pet: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
  schemas:
    Pet:
      type: object
      required: [id, name]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string, nullable: true, example: Rex}
        parent: {$ref: "#/components/schemas/Pet"}
        born: {type: string, default: 2020-01-01}
  securitySchemes:
    oauth:
      type: oauth2
      flows: {clientCredentials: {tokenUrl: "https://pets.example/token", scopes: {read: Reads.}}}
"""


def test_operations_become_tools() -> None:
    imported = tools_of_openapi(PETS)

    assert list(imported.tools) == ["getPet", "replace_pet", "get_pets", "login"]
    assert imported.server == "https://eu.pets.example/v2"
    assert imported.title == "Pets"
    assert imported.authentication == {
        "type": "oauth2_client_credentials",
        "token_url": "https://pets.example/token",
        "scopes": ["read"],
    }
    assert imported.left_out == ("POST /photo: a body of type multipart/form-data",)
    json.dumps(imported.declared)


def test_parameters_are_taken_from_all_four_places() -> None:
    tool = tools_of_openapi(PETS).declared["getPet"]

    assert tool["path"] == "/pets/{petId}"
    assert tool["query"] == {"fields": "{fields}"}
    assert tool["arrays"] == "comma"
    assert tool["headers"] == {"X-Trace": "{X-Trace}"}
    assert tool["cookies"] == {"session": "{session}"}
    assert tool["parameters"]["required"] == ["petId"]
    assert set(tool["parameters"]["properties"]) == {"petId", "X-Trace", "fields", "session"}


def test_names_are_such_as_models_can_write() -> None:
    tool = tools_of_openapi(PETS).declared["get_pets"]

    assert tool["query"]["page[size]"] == "{page_size}"
    assert tool["parameters"]["properties"]["page_size"] == {"type": "integer", "exclusiveMinimum": 0}


def test_schemas_that_hold_themselves_are_no_problem() -> None:
    schema = tools_of_openapi(PETS).declared["replace_pet"]["parameters"]

    validator = validator_for(schema)
    assert validator.is_valid({"petId": "1", "body": {"name": None, "parent": {"name": "x"}}})
    assert not validator.is_valid({"petId": "1", "body": {"name": 1}})
    assert not validator.is_valid({"petId": "1", "body": {"name": "x", "parent": {"name": 1}}})
    assert "id" not in schema["$defs"]["Pet"]["properties"]


async def test_an_imported_tool_is_called_like_any_other() -> None:
    def answering(request: ReceivedRequest) -> Reply:
        return Reply({"target": request.target, "body": request.body.decode()})

    async with api(answering) as world:
        connector = world.open({}, openapi={"document": PETS, "exclude": ["login"]}, **bearer())

        given: dict[str, Any] = {"petId": "a/b", "fields": ["x", "y"], "session": "s", "X-Trace": "t"}
        got = await connector.execute(call(connector, "getPet", **given))
        put = await connector.execute(call(connector, "replace_pet", petId="1", body={"name": "x"}))

        assert got.value["data"]["target"] == "/pets/a%2Fb?fields=x%2Cy"
        assert world.asked[0].header("x-trace") == "t"
        assert world.asked[0].header("cookie") == "session=s"
        assert world.asked[0].header("authorization") == f"Bearer {TOKEN}"
        assert json.loads(put.value["data"]["body"]) == {"name": "x"}
        assert [tool.name for tool in connector.tools] == ["getPet", "replace_pet", "get_pets"]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"include": ["pets"]}, ["getPet", "get_pets"]),
        ({"include": ["lists"]}, ["get_pets"]),
        ({"include": ["replace pet!"]}, ["replace_pet"]),
        ({"include": ["/pets*"], "exclude": ["getPet"]}, ["replace_pet", "get_pets"]),
        ({"exclude": ["/pets"]}, ["getPet", "replace_pet", "login"]),
    ],
)
def test_operations_are_chosen_by_name_tag_and_path(choice: dict[str, Any], names: list[str]) -> None:
    assert list(tools_of_openapi(PETS, **choice).tools) == names


def test_a_choice_that_fits_nothing_is_a_mistake() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        tools_of_openapi(PETS, include=["getPets"])

    assert caught.value.param == "openapi.include"


SCHEMES: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({"type": "apiKey", "in": "query", "name": "k"}, {"type": "api_key", "in": "query", "name": "k"}),
    ({"type": "apiKey", "in": "cookie", "name": "k"}, None),
    ({"type": "http", "scheme": "Basic"}, {"type": "basic"}),
    ({"type": "http", "scheme": "bearer"}, {"type": "bearer"}),
    ({"type": "http", "scheme": "digest"}, None),
    ({"type": "mutualTLS"}, {"type": "mtls"}),
    ({"type": "openIdConnect", "openIdConnectUrl": "https://x"}, None),
    (
        {"type": "oauth2", "flows": {"authorizationCode": {"tokenUrl": "https://x/t", "scopes": {}}}},
        {"type": "oauth2_refresh", "token_url": "https://x/t"},
    ),
]


@pytest.mark.parametrize(("scheme", "authentication"), SCHEMES)
def test_security_schemes_become_authentication(
    scheme: dict[str, Any], authentication: dict[str, Any] | None
) -> None:
    document = {
        "openapi": "3.1.0",
        "paths": {"/a": {"get": {"operationId": "a"}}},
        "components": {"securitySchemes": {"s": scheme}},
    }

    assert tools_of_openapi(document).authentication == authentication


def test_a_3_1_schema_is_json_schema_already() -> None:
    schema = {"type": ["string", "null"], "$id": "http://evil.example/x", "const": "a"}
    parameter = {"name": "p", "in": "query", "schema": schema}
    document = {"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [parameter]}}}}

    tool = tools_of_openapi(document).declared["get_a"]

    assert tool["parameters"]["properties"]["p"] == {"type": ["string", "null"], "const": "a"}


def doubling(levels: int) -> str:
    lines = [
        "openapi: 3.0.0",
        "paths: {/a: {get: {operationId: a}}}",
        "x0: &x0 [a, a, a, a, a, a, a, a, a, a]",
    ]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def with_schema(schema: Any) -> dict[str, Any]:
    parameter = {"name": "p", "in": "query", "schema": schema}
    return {"openapi": "3.0.0", "paths": {"/a": {"get": {"parameters": [parameter]}}}}


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[1]",
        "{",
        "a: [",
        "a: !!python/object/apply:os.system [x]",
        "swagger: '2.0'",
        {"openapi": "3.0.0"},
        {"openapi": "3.0.0", "paths": {}},
        doubling(9),
        "openapi: 3.0.0\nx: &x [*x]",
        {"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}},
        {"openapi": "3.0.0", "paths": {"/a": {"$ref": "http://169.254.169.254/x"}}},
        {"openapi": "3.0.0", "paths": {"/a": {"$ref": "file:///etc/passwd"}}},
        {"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/nowhere"}}},
        with_schema({"$ref": "other.yaml#/X"}),
        with_schema([1]),
        "x" * 5_000_000,
    ],
)
def test_documents_that_mean_no_good_are_refused(document: Any) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        tools_of_openapi(document)

    assert caught.value.param == "openapi.document"


def test_paths_that_lead_elsewhere_are_no_tools() -> None:
    paths = {
        path: {"get": {"operationId": f"op{number}"}}
        for number, path in enumerate(["/a?x=1", "/../a", "//evil.example/", "/a#b", "nothing", "/fine"])
    }

    imported = tools_of_openapi({"openapi": "3.0.0", "paths": paths})

    assert list(imported.tools) == ["op5"]
    assert len(imported.left_out) == 5


def test_a_schema_beyond_all_bounds_is_simply_not_described() -> None:
    schemas = {
        f"S{n}": {"properties": {"next": {"$ref": f"#/components/schemas/S{n + 1}"}}} for n in range(400)
    }
    document = {
        **with_schema({"$ref": "#/components/schemas/S0"}),
        "components": {"schemas": {**schemas, "S400": {}}},
    }

    tool = tools_of_openapi(document).declared["get_a"]

    assert tool["parameters"]["properties"]["p"] == {}
    assert "$defs" not in tool["parameters"]


def test_a_whole_configuration_comes_out_of_a_document() -> None:
    configuration, left_out = configuration_of_openapi(PETS, authentication={"client_id": "me"})

    RestConnectors(SystemClock()).validate(json.loads(json.dumps(configuration)))
    assert configuration["endpoint"] == "https://eu.pets.example/v2"
    assert configuration["authentication"]["type"] == "oauth2_client_credentials"
    assert len(left_out) == 1


def test_where_the_api_is_has_to_be_said_by_somebody() -> None:
    document = json.dumps({"openapi": "3.1.0", "paths": {"/a": {"get": {}}}})

    assert configuration_of_openapi(document, endpoint="https://x")[0]["endpoint"] == "https://x"
    with pytest.raises(InvalidConfiguration) as caught:
        configuration_of_openapi(document)
    assert caught.value.param == "endpoint"


def test_a_configuration_holds_no_long_yaml() -> None:
    long = PETS + "# " + "x" * 70_000

    with pytest.raises(InvalidConfiguration, match="JSON"):
        tools_of_openapi(long)
    assert configuration_of_openapi(long)
