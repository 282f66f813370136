"""What of guardrails only a library can tell, for commands that look at a configuration and serve nothing."""

from adapters.guardrails.json_schema import CompiledSchemas
from entrypoints.config.guardrail_section import made_guardrails
from entrypoints.guardrails import check_schemas
from entrypoints.settings import Settings


def check_guardrails(settings: Settings) -> None:
    """Raises ProvisioningError for a schema that a server could not use."""
    check_schemas(made_guardrails(settings.guardrails), CompiledSchemas())
