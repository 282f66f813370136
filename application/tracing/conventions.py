"""Every name that spans use, in one place: OpenTelemetry's GenAI conventions, which still change, and ours.

The classic set is what most collectors and dashboards know (`gen_ai.system`); the newest replaces it by
`gen_ai.provider.name` and counts cached tokens under names of its own. Ours begin with `interchange.`.
"""

from typing import Final, NamedTuple

from domain.llm.request import Operation

LATEST: Final = "gen_ai_latest_experimental"
"""What OTEL_SEMCONV_STABILITY_OPT_IN names to get the newest set."""

SCOPE: Final = "interchange"

OPERATION: Final = "gen_ai.operation.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
AGENT_ID: Final = "gen_ai.agent.id"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
USER_ID: Final = "user.id"
ERROR_TYPE: Final = "error.type"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_METHOD: Final = "http.request.method"
HTTP_RESEND_COUNT: Final = "http.request.resend_count"

TENANT: Final = "interchange.tenant.id"
KEY: Final = "interchange.key.id"
REQUEST_ID: Final = "interchange.request.id"
ATTEMPT_ID: Final = "interchange.attempt.id"
WORKFLOW: Final = "interchange.workflow.id"
DIALECT: Final = "interchange.dialect"
ROUTE: Final = "interchange.route"
STRATEGY: Final = "interchange.strategy"
CANDIDATES: Final = "interchange.candidates"
PLANNED: Final = "interchange.planned"
LEFT_OUT: Final = "interchange.left_out"
REASON: Final = "interchange.reason"
AFFINITY: Final = "interchange.affinity"
VIA: Final = "interchange.via"
OUTCOME: Final = "interchange.outcome"
CACHE: Final = "interchange.cache"
SIMILARITY: Final = "interchange.cache.similarity"
SAVED_NANO_USD: Final = "interchange.saved_nano_usd"
COST_NANO_USD: Final = "interchange.cost_nano_usd"
COST_USD: Final = "interchange.cost_usd"
ESTIMATED: Final = "interchange.cost_estimated"
SIMULATED: Final = "interchange.simulated"
STREAMED: Final = "interchange.streamed"
CONTINUED: Final = "interchange.continued"
ATTEMPTS: Final = "interchange.attempts"
FALLBACKS: Final = "interchange.fallbacks"
BREAKER_SKIPS: Final = "interchange.breaker_skips"
TASK: Final = "interchange.task"
CHECKS: Final = "interchange.checks"
PRIVACY: Final = "interchange.privacy"
GUARDRAILS: Final = "interchange.guardrails"
UPSTREAM_US: Final = "interchange.upstream_us"
QUEUE_US: Final = "interchange.queue_us"
FIRST_TOKEN_US: Final = "interchange.first_token_us"  # noqa: S105 - a name
INTEGRATION: Final = "interchange.integration.id"
CREDENTIAL: Final = "interchange.credential.id"
RETRY_AFTER_US: Final = "interchange.retry_after_us"
CHUNKS: Final = "interchange.stream.chunks"
GAP_MAX_US: Final = "interchange.stream.gap_max_us"

ADMISSION: Final = "admission"
CACHE_LOOKUP: Final = "cache lookup L1"
CACHE_LOOKUP_FURTHER: Final = "cache lookup L2"
"""Beyond this process's memory: the shared store, then similar questions."""
ROUTING: Final = "routing decision"
HOLD: Final = "budget hold"
CACHE_WRITE: Final = "cache write"
RESPONSE_BUILD: Final = "response build"

EXECUTE_TOOL: Final = "execute_tool"
_OPERATIONS: Final = {
    Operation.CHAT.value: "chat",
    Operation.COMPLETION.value: "text_completion",
    Operation.EMBEDDINGS.value: "embeddings",
    Operation.TOOL.value: EXECUTE_TOOL,
    Operation.IMAGE.value: "generate_content",
    Operation.SPEECH.value: "generate_content",
}
"""Others keep our names: the conventions have none for them yet."""
_CLASSIC_SYSTEMS: Final = {
    "azure": "az.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "x-ai": "xai",
}
_LATEST_PROVIDERS: Final = {**_CLASSIC_SYSTEMS, "azure": "azure.ai.openai", "x-ai": "x_ai"}


def operation_name(operation: str) -> str:
    """`gen_ai.operation.name` of a kind of request."""
    return _OPERATIONS.get(operation, operation)


class Conventions(NamedTuple):
    """The names that differ between the sets."""

    provider: str
    cached_read_tokens: str
    cache_write_tokens: str
    reasoning_tokens: str
    time_to_first_chunk: str
    providers: dict[str, str]

    def provider_name(self, provider: str) -> str:
        """The well-known name of a provider called as its vendor; an operator's own name as it is."""
        return self.providers.get(provider, provider)


CLASSIC: Final = Conventions(
    provider="gen_ai.system",
    cached_read_tokens="gen_ai.usage.cache_read_input_tokens",
    cache_write_tokens="gen_ai.usage.cache_creation_input_tokens",
    reasoning_tokens="gen_ai.usage.reasoning_tokens",
    time_to_first_chunk="gen_ai.server.time_to_first_token",
    providers=_CLASSIC_SYSTEMS,
)
NEWEST: Final = Conventions(
    provider="gen_ai.provider.name",
    cached_read_tokens="gen_ai.usage.cache_read.input_tokens",
    cache_write_tokens="gen_ai.usage.cache_creation.input_tokens",
    reasoning_tokens="gen_ai.usage.reasoning.output_tokens",
    time_to_first_chunk="gen_ai.response.time_to_first_chunk",
    providers=_LATEST_PROVIDERS,
)


def conventions(opt_in: str) -> Conventions:
    """The set that OTEL_SEMCONV_STABILITY_OPT_IN asks for, a list separated by commas."""
    return NEWEST if LATEST in (word.strip() for word in opt_in.split(",")) else CLASSIC
