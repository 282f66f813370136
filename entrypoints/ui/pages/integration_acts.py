"""What can be done with integrations, and an example of each type to begin with."""

from typing import Any, Final

from entrypoints.ui.page import Act, Field
from entrypoints.ui.pages.tenant_choice import ALONG

ROOT: Final = "/api/v1/integrations"
ONE: Final = ROOT + "/{integration_id}"
TYPES: Final = ("database", "api", "storage", "mcp", "llm_provider")
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "database": {
        "endpoint": "postgresql://db.example:5432/shop",
        "authentication": {"type": "password", "username": "reader", "password": "…"},
        "queries": {
            "open_orders": {
                "description": "Orders of a customer that are not shipped.",
                "sql": "SELECT id, total FROM orders WHERE customer = :customer AND NOT shipped",
                "parameters": {"customer": {"type": "integer"}},
            }
        },
        "max_concurrency": 8,
    },
    "api": {
        "endpoint": "https://tickets.example/api",
        "authentication": {"type": "bearer", "token": "…"},
        "tools": {
            "get_ticket": {
                "description": "One ticket.",
                "path": "/tickets/{id}",
                "parameters": {
                    "type": "object",
                    "properties": {"id": {"type": "integer"}},
                    "required": ["id"],
                },
            }
        },
    },
    "storage": {
        "endpoint": "s3://acme-reports/agents",
        "aws_region": "eu-central-1",
        "authentication": {"type": "access_key", "access_key_id": "…", "secret_access_key": "…"},
    },
    "mcp": {
        "endpoint": "https://mcp.example/mcp",
        "authentication": {"type": "bearer", "token": "…"},
    },
    "llm_provider": {
        "endpoint": "https://llm.example/v1",
        "authentication": {"type": "api_key", "api_key": "…"},
        "models": {"small": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4}},
    },
}

_ID: Final = Field("integration_id", "Integration", "path")
_TOOLS: Final = (_ID, Field("tools", "Tools", "list"), Field("digests", "Digests", "json"), ALONG)
_REACHED: Final = (
    "It is reached once before anything is kept: the address has to be public, or opened under `egress:` in "
    "the configuration file; the driver has to be installed (`interchange doctor`); and it has to answer and "
    "take the credential. Where that fails nothing is kept, and what you wrote stays here."
)
_FORM: Final = (
    Field("type", "Type", "choice", required=True, choices=TYPES),
    Field(
        "configuration",
        "Configuration",
        "json",
        "The endpoint's scheme chooses the connector. Secrets in authentication go to the vault and are "
        "never shown again; those that are not sent in a change stay.",
        required=True,
    ),
    Field("monitoring", "Monitoring", "json", 'Such as {"enabled": true, "interval_s": 60}; may be empty.'),
)
ACTS: Final = (
    Act(
        name="create",
        title="Make an integration",
        method="POST",
        path=ROOT,
        permission="integrations.write",
        fields=(
            Field("integration_id", "Name", hint="Small letters, digits, . _ -", required=True),
            *_FORM,
            ALONG,
        ),
        done="It was reached, and is in use.",
        note=f"The hosts of examples do not exist: put yours in their place. {_REACHED}",
    ),
    Act(
        name="test",
        title="Test",
        method="POST",
        path=ONE + "/test",
        permission="integrations.operate",
        fields=(_ID, ALONG),
        done="It was reached.",
        stays=True,
    ),
    Act(
        name="enable",
        title="Enable",
        method="POST",
        path=ONE + "/enable",
        permission="integrations.operate",
        fields=(_ID, ALONG),
        done="It is in use.",
    ),
    Act(
        name="disable",
        title="Disable",
        method="POST",
        path=ONE + "/disable",
        permission="integrations.operate",
        fields=(_ID, ALONG),
        done="It is disabled: calls are answered with 503.",
    ),
    Act(
        name="maintenance",
        title="Maintenance",
        method="POST",
        path=ONE + "/maintenance",
        permission="integrations.operate",
        fields=(_ID, ALONG),
        done="It is in maintenance: callers are told to try again later.",
    ),
    Act(
        name="change",
        title="Change",
        method="PUT",
        path=ONE,
        permission="integrations.write",
        fields=(_ID, *_FORM, ALONG),
        done="It was reached, and the change is in force.",
        note=_REACHED,
    ),
    Act(
        name="delete",
        title="Delete",
        method="DELETE",
        path=ONE,
        permission="integrations.write",
        fields=(_ID, ALONG),
        done="It is gone, and the secrets that came with it.",
        danger=True,
        leaves=True,
    ),
    Act(
        name="accept",
        title="Accept",
        method="POST",
        path=ONE + "/tools/accept",
        permission="integrations.operate",
        fields=_TOOLS,
        done="What its server says now is accepted.",
    ),
    Act(
        name="accept_all",
        title="Accept all tools as shown",
        method="POST",
        path=ONE + "/tools/accept",
        permission="integrations.operate",
        fields=_TOOLS,
        done="What its server says now is accepted.",
    ),
    Act(
        name="try",
        title="Try it",
        method="POST",
        path="/api/v1/tools/execute",
        permission="tools.execute",
        fields=(
            Field("integration_id", "Integration", "hidden"),
            Field("tool_name", "Tool", "hidden"),
            Field(
                "parameters",
                "Parameters",
                "json",
                "This is a real call: it is counted, and may change things.",
            ),
            Field("timeout_seconds", "At most, seconds", "number", default="10"),
        ),
        done="What it answered",
        stays=True,
    ),
)
NAMES: Final = tuple(act.name for act in ACTS)
