"""The published HTTP interface, as an OpenAPI 3.1 document. Data only; the parts are in the files beside."""

from copy import deepcopy
from typing import Any

from contracts.http.admin_paths import ADMIN_PATHS
from contracts.http.admin_schemas import ADMIN_SCHEMAS
from contracts.http.alert_paths import ALERT_PATHS, ALERT_SCHEMAS
from contracts.http.audit_paths import AUDIT_PATHS, AUDIT_SCHEMAS
from contracts.http.auth_paths import AUTH_PATHS, AUTH_SCHEMAS
from contracts.http.backtest_paths import BACKTEST_PATHS, BACKTEST_SCHEMAS
from contracts.http.batch_paths import BATCH_PATHS, BATCH_SCHEMAS
from contracts.http.budget_paths import BUDGET_PATHS, BUDGET_SCHEMAS
from contracts.http.cache_paths import CACHE_PATHS
from contracts.http.cache_schemas import CACHE_SCHEMAS
from contracts.http.call_paths import CALL_PATHS
from contracts.http.call_schemas import CALL_SCHEMAS
from contracts.http.configuration_paths import CONFIGURATION_PATHS, CONFIGURATION_SCHEMAS
from contracts.http.credential_paths import CREDENTIAL_PATHS, CREDENTIAL_SCHEMAS
from contracts.http.error_answers import ERROR_SCHEMAS
from contracts.http.event_paths import EVENT_PATHS, EVENT_SCHEMAS
from contracts.http.experiment_paths import EXPERIMENT_PATHS, EXPERIMENT_SCHEMAS
from contracts.http.gemini_paths import GEMINI_PATHS, GEMINI_SCHEMAS
from contracts.http.guardrail_paths import GUARDRAIL_PATHS, GUARDRAIL_SCHEMAS
from contracts.http.headers import REQUEST_HEADERS, RESPONSE_HEADERS, SECURITY_SCHEMES
from contracts.http.integration_paths import INTEGRATION_PATHS, INTEGRATION_SCHEMAS
from contracts.http.integration_tool_paths import INTEGRATION_TOOL_PATHS, INTEGRATION_TOOL_SCHEMAS
from contracts.http.key_paths import KEY_PATHS, KEY_SCHEMAS
from contracts.http.limit_paths import LIMIT_HEADERS, LIMIT_PATHS, LIMIT_SCHEMAS
from contracts.http.media_paths import MEDIA_PATHS, MEDIA_SCHEMAS
from contracts.http.object_paths import OBJECT_PATHS, OBJECT_SCHEMAS
from contracts.http.outlook_paths import OUTLOOK_PATHS, OUTLOOK_SCHEMAS
from contracts.http.own_key_paths import OWN_KEY_PATHS, OWN_KEY_SCHEMAS
from contracts.http.privacy_paths import PRIVACY_PATHS, PRIVACY_SCHEMAS
from contracts.http.quality_paths import QUALITY_PATHS, QUALITY_SCHEMAS
from contracts.http.recommendation_paths import RECOMMENDATION_PATHS, RECOMMENDATION_SCHEMAS
from contracts.http.recording_paths import RECORDING_PATHS, RECORDING_SCHEMAS
from contracts.http.responses_paths import RESPONSES_PATHS, RESPONSES_SCHEMAS
from contracts.http.spending_paths import SPENDING_PATHS, SPENDING_SCHEMAS
from contracts.http.stop_paths import STOP_PATHS, STOP_SCHEMAS
from contracts.http.stored_response_paths import STORED_RESPONSE_PATHS, STORED_RESPONSE_SCHEMAS
from contracts.http.subject_paths import SUBJECT_PATHS, SUBJECT_SCHEMAS
from contracts.http.tenant_paths import TENANT_PATHS, TENANT_SCHEMAS
from contracts.http.tool_paths import TOOL_PATHS, TOOL_SCHEMAS
from contracts.http.ui_paths import UI_PATHS, UI_SCHEMAS
from contracts.http.usage_paths import USAGE_PATHS, USAGE_SCHEMAS
from contracts.http.webhook_paths import WEBHOOK_PATHS, WEBHOOK_SCHEMAS

VERSION = "0.1.0"
_DESCRIPTION = (
    "The integration layer for AI agents: one key and one address in front of every model, with routing, "
    "failover, exact cost and a record of everything.\n\n"
    "Errors have one shape, or Anthropic's and Google's on theirs. A route or method that does not exist is "
    "answered with 404 or 405 in the same shape. Objects may get further fields in later versions."
)
_TAGS = {
    "Models": "Calling models.",
    "Batches": "Files of requests, answered in the background.",
    "Routing": "Why a request goes where it goes.",
    "Providers": "How providers are doing, and an operator's hand on them.",
    "Keys": "Who may call.",
    "Logins": "People who come by a browser.",
    "Tenants": "Whose keys there are, what they are counted for, and what roles may do.",
    "Credentials": "Secrets of others that are kept sealed, and the keys around them.",
    "Agents": "Stopping agents that run away.",
    "Experiments": "A/B tests of routes.",
    "Alerts": "Objectives of the service, and what is wrong with it.",
    "Events": "What happened, as it happens.",
    "Webhooks": "Events sent to whoever subscribed, and the log of what was sent.",
    "Catalogue": "What could be called, and for how much.",
    "Budgets": "What may be spent, by whom, in which time.",
    "Limits": "How many requests and tokens are let through, of whom, in which time.",
    "Integrations": "What is reached besides models: databases, APIs, storage, MCP servers.",
    "Tools": "What integrations can do, and having it done.",
    "Privacy": "What is done about personal data.",
    "Guardrails": "What is checked in requests and answers.",
    "Cache": "Answers that are given again, and what no longer counts of them.",
    "Usage": "What was called, and for how much.",
    "Audit": "Who did what, and the proof of it.",
    "Configuration": "What runs, and what of it may be changed here.",
    "Pages": "What people look at, at `/ui`.",
    "Health": "How this instance is doing.",
    "About": "Descriptions of this interface.",
}


def openapi_document() -> dict[str, Any]:
    """The whole document; a new one each time."""
    return deepcopy(
        {
            "openapi": "3.1.0",
            "info": {"title": "Interchange", "version": VERSION, "description": _DESCRIPTION},
            "servers": [{"url": "/", "description": "This installation"}],
            "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
            "security": [{name: []} for name in SECURITY_SCHEMES],
            "paths": _paths(),
            "components": {
                "schemas": {
                    **CALL_SCHEMAS,
                    **RESPONSES_SCHEMAS,
                    **STORED_RESPONSE_SCHEMAS,
                    **GEMINI_SCHEMAS,
                    **MEDIA_SCHEMAS,
                    **BATCH_SCHEMAS,
                    **ADMIN_SCHEMAS,
                    **KEY_SCHEMAS,
                    **AUTH_SCHEMAS,
                    **OBJECT_SCHEMAS,
                    **OWN_KEY_SCHEMAS,
                    **TENANT_SCHEMAS,
                    **USAGE_SCHEMAS,
                    **OUTLOOK_SCHEMAS,
                    **SPENDING_SCHEMAS,
                    **RECOMMENDATION_SCHEMAS,
                    **UI_SCHEMAS,
                    **RECORDING_SCHEMAS,
                    **QUALITY_SCHEMAS,
                    **STOP_SCHEMAS,
                    **ALERT_SCHEMAS,
                    **EVENT_SCHEMAS,
                    **WEBHOOK_SCHEMAS,
                    **AUDIT_SCHEMAS,
                    **CREDENTIAL_SCHEMAS,
                    **BUDGET_SCHEMAS,
                    **LIMIT_SCHEMAS,
                    **EXPERIMENT_SCHEMAS,
                    **BACKTEST_SCHEMAS,
                    **PRIVACY_SCHEMAS,
                    **GUARDRAIL_SCHEMAS,
                    **INTEGRATION_SCHEMAS,
                    **INTEGRATION_TOOL_SCHEMAS,
                    **TOOL_SCHEMAS,
                    **SUBJECT_SCHEMAS,
                    **CACHE_SCHEMAS,
                    **CONFIGURATION_SCHEMAS,
                    **ERROR_SCHEMAS,
                },
                "parameters": REQUEST_HEADERS,
                "headers": {**RESPONSE_HEADERS, **LIMIT_HEADERS},
                "securitySchemes": SECURITY_SCHEMES,
            },
        }
    )


def _paths() -> dict[str, Any]:
    return {
        **CALL_PATHS,
        **RESPONSES_PATHS,
        **STORED_RESPONSE_PATHS,
        **GEMINI_PATHS,
        **MEDIA_PATHS,
        **BATCH_PATHS,
        **ADMIN_PATHS,
        **KEY_PATHS,
        **AUTH_PATHS,
        **OBJECT_PATHS,
        **OWN_KEY_PATHS,
        **TENANT_PATHS,
        **USAGE_PATHS,
        **OUTLOOK_PATHS,
        **SPENDING_PATHS,
        **RECOMMENDATION_PATHS,
        **RECORDING_PATHS,
        **QUALITY_PATHS,
        **ALERT_PATHS,
        **STOP_PATHS,
        **EVENT_PATHS,
        **WEBHOOK_PATHS,
        **AUDIT_PATHS,
        **CREDENTIAL_PATHS,
        **BUDGET_PATHS,
        **LIMIT_PATHS,
        **EXPERIMENT_PATHS,
        **BACKTEST_PATHS,
        **PRIVACY_PATHS,
        **GUARDRAIL_PATHS,
        **INTEGRATION_PATHS,
        **INTEGRATION_TOOL_PATHS,
        **TOOL_PATHS,
        **SUBJECT_PATHS,
        **CACHE_PATHS,
        **CONFIGURATION_PATHS,
        **UI_PATHS,
    }
