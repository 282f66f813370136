"""Which body fields Portkey 1.15.2 passes on to each provider; it drops every other one without a word.

Derived from the gateway itself: the keys of its parameter maps, and every field that changes what its
request transforms produce (a conformance test repeats this through the real gateway). `model` and
`stream` always arrive, though often not as fields. Only the top level is listed. A last table names what
arrives in vain, because Portkey drops the answer to it.

In the tables a row is `providers: fields`; `*` stands for the fields of the first row, `-x` and `+x` change
them. `bedrock/anthropic` is a family of models at a provider, told by the model's name.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final


class GatewayRoute(Enum):
    """What Portkey offers, by its path below the base URL."""

    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"
    EMBEDDINGS = "/v1/embeddings"
    MESSAGES = "/v1/messages"
    COUNT_TOKENS = "/v1/messages/count_tokens"
    RESPONSES = "/v1/responses"


ALWAYS_FORWARDED: Final = frozenset({"model", "stream"})

USAGE_UNASKED: Final = frozenset({"anthropic", "bedrock", "cohere", "google", "mistral-ai", "vertex-ai"})
"""Their streams count tokens through Portkey without `stream_options`, so nothing is lost with it."""

_CHAT = """
aibadgr cometapi featherless-ai inference-net iointelligence kluster-ai krutrim lambda matterai modal nebius
    nextbit openai ovhcloud upstage vertex-ai/endpoints x-ai z-ai: audio frequency_penalty function_call
    functions logit_bias logprobs max_completion_tokens max_tokens messages metadata modalities n
    parallel_tool_calls prediction presence_penalty prompt_cache_key reasoning_effort response_format
    safety_identifier seed service_tier stop store stream_options temperature tool_choice tools top_logprobs
    top_p user verbosity web_search_options
302ai: frequency_penalty max_tokens messages presence_penalty stop temperature top_p
ai21: countPenalty frequencyPenalty frequency_penalty max_completion_tokens max_tokens messages minTokens n
    presencePenalty presence_penalty stop temperature top_k top_p
anthropic: max_completion_tokens max_tokens messages stop temperature thinking tool_choice tools top_k top_p
    user
anyscale: * -audio -metadata -modalities -parallel_tool_calls -prediction -prompt_cache_key
    -reasoning_effort -safety_identifier -seed -service_tier -store -stream_options -verbosity
    -web_search_options
azure-ai github: * -function_call -functions -parallel_tool_calls -service_tier
azure-openai: * -parallel_tool_calls -service_tier
bedrock bedrock/amazon bedrock/meta bedrock/mistral: additionalModelRequestFields
    additionalModelResponseFieldPaths additional_model_request_fields additional_model_response_field_paths
    guardrailConfig guardrail_config max_completion_tokens max_tokens messages performance_config stop
    temperature tool_choice tools top_p
bedrock/ai21: additionalModelRequestFields additionalModelResponseFieldPaths additional_model_request_fields
    additional_model_response_field_paths countPenalty frequencyPenalty frequency_penalty guardrailConfig
    guardrail_config max_completion_tokens max_tokens messages performance_config presencePenalty
    presence_penalty stop temperature tool_choice tools top_k top_p
bedrock/anthropic: additionalModelRequestFields additionalModelResponseFieldPaths
    additional_model_request_fields additional_model_response_field_paths anthropic_beta anthropic_version
    guardrailConfig guardrail_config max_completion_tokens max_tokens messages performance_config stop
    temperature thinking tool_choice tools top_k top_p user
bedrock/cohere: additionalModelRequestFields additionalModelResponseFieldPaths
    additional_model_request_fields additional_model_response_field_paths frequency_penalty guardrailConfig
    guardrail_config logit_bias max_completion_tokens max_tokens messages n performance_config
    presence_penalty stop temperature tool_choice tools top_k top_p
bytez zhipu: max_tokens messages temperature top_p
cerebras: * -frequency_penalty -logit_bias -logprobs -parallel_tool_calls -presence_penalty -service_tier
cohere: citation_options documents frequency_penalty k max_tokens messages presence_penalty response_format
    safety_mode seed stop temperature thinking tool_choice tools top_p
dashscope: * +enable_search +enable_thinking +repetition_penalty +thinking_budget +top_k
deepbricks: * -audio -metadata -modalities -parallel_tool_calls -prediction -prompt_cache_key
    -reasoning_effort -safety_identifier -service_tier -store -verbosity -web_search_options
deepinfra ncompass siliconflow: frequency_penalty max_completion_tokens max_tokens messages n
    presence_penalty stop temperature top_p
deepseek: frequency_penalty logprobs max_completion_tokens max_tokens messages presence_penalty
    response_format stop temperature top_logprobs top_p
fireworks-ai: context_length_exceeded_behavior frequency_penalty logprobs max_completion_tokens max_tokens
    messages n presence_penalty prompt_truncate_len response_format stop temperature tools top_k
    top_logprobs top_p user
google: image_config logprobs max_completion_tokens max_tokens messages modalities reasoning_effort
    response_format seed stop temperature thinking tool_choice tools top_k top_logprobs top_p
groq: * -logprobs -top_logprobs
huggingface: frequency_penalty function_call functions logit_bias max_completion_tokens max_tokens messages
    n presence_penalty response_format stop temperature tool_choice tools top_p user
hyperbolic: * +min_p +repetition_penalty +top_k
lemonfox-ai: * -function_call -functions -logit_bias -logprobs -n -response_format -seed -stream_options
    -tool_choice -tools -user
lepton: audio_history_b64 beam_size chat_template_kwargs do_early_stopping dry_allowed_length dry_base
    dry_multiplier for_quant_calibration frequency_penalty id length_penalty logit_bias logprobs max_tokens
    messages min_p n presence_penalty repetition_penalty require_audio seed stop stream_options temperature
    tools top_k top_logprobs top_p tts_audio_bitrate tts_audio_format tts_preset_id user
lingyi moonshot: max_completion_tokens max_tokens messages temperature top_p
mistral-ai vertex-ai/mistralai: max_completion_tokens max_tokens messages parallel_tool_calls prompt
    safe_mode safe_prompt seed suffix temperature tool_choice tools top_p
monsterapi: beam_size max_length messages repetition_penalty temperature top_k top_p
novita-ai: frequency_penalty logprobs max_completion_tokens max_tokens messages n presence_penalty
    response_format stop temperature tool_choice tools top_k top_p
nscale: * -function_call -functions -seed -stream_options -tool_choice -tools -user
ollama: frequency_penalty max_completion_tokens max_tokens messages presence_penalty response_format seed
    stop temperature thinking tools top_p
openrouter: max_completion_tokens max_tokens messages modalities models provider reasoning reasoning_effort
    response_format stream_options temperature tool_choice tools top_p transforms usage
oracle: frequency_penalty logit_bias logprobs max_completion_tokens max_tokens messages n presence_penalty
    seed stop temperature tool_choice tools top_k top_p
palm: max_completion_tokens max_tokens messages n stop temperature top_k top_p
perplexity-ai: frequency_penalty max_completion_tokens max_tokens messages n presence_penalty
    response_format search_domain_filter search_recency_filter temperature top_k top_p web_search_options
predibase: best_of max_completion_tokens max_tokens messages n response_format stop temperature top_k top_p
reka-ai: frequency_penalty length_penalty max_completion_tokens max_tokens messages presence_penalty
    retrieval_dataset seed stop temperature top_k top_p use_search_engine
sambanova: * -frequency_penalty -function_call -functions -logit_bias -logprobs -presence_penalty
    -response_format -seed -tool_choice -tools -user
together-ai: frequency_penalty logprobs max_completion_tokens max_tokens messages response_format stop
    temperature tool_choice tools top_k top_p
vertex-ai vertex-ai/google: labels logprobs max_completion_tokens max_tokens messages modalities
    reasoning_effort response_format safety_settings seed stop temperature thinking tool_choice tools top_k
    top_logprobs top_p
vertex-ai/anthropic: anthropic_version max_completion_tokens max_tokens messages stop temperature thinking
    tool_choice tools top_k top_p user
vertex-ai/meta: image_config max_completion_tokens max_tokens messages temperature top_k top_p
workers-ai: max_completion_tokens max_tokens messages raw
"""

_COMPLETIONS = """
openai: best_of echo frequency_penalty logit_bias logprobs max_tokens n presence_penalty prompt seed stop
    stream_options suffix temperature top_p user
ai21: countPenalty frequencyPenalty frequency_penalty max_tokens minTokens n presencePenalty
    presence_penalty prompt stop temperature top_k top_p
anthropic bedrock/anthropic: max_tokens prompt stop temperature top_k top_p user
anyscale azure-openai huggingface: * -seed -stream_options -suffix
azure-ai github: * -best_of -echo -logit_bias -logprobs -n -seed -stream_options -suffix
bedrock/ai21: countPenalty frequencyPenalty frequency_penalty max_tokens presencePenalty presence_penalty
    prompt stop temperature top_p
bedrock/amazon: max_tokens prompt stop temperature top_p
bedrock/cohere cohere: * -best_of -echo -logprobs -seed -stream_options -suffix -user +top_k
bedrock/meta: max_tokens prompt temperature top_p
bedrock/mistral: max_tokens prompt stop temperature top_k top_p
featherless-ai lambda modal nebius nextbit x-ai: * -stream_options
fireworks-ai: * -best_of -logit_bias -seed -stream_options -suffix +context_length_exceeded_behavior
    +response_format +top_k
lepton: * -best_of +audio_history_b64 +beam_size +do_early_stopping +dry_allowed_length +dry_base
    +dry_multiplier +for_quant_calibration +id +length_penalty +min_p +repetition_penalty +require_audio
    +top_k +tts_audio_bitrate +tts_audio_format +tts_preset_id
novita-ai together-ai: frequency_penalty logprobs max_tokens prompt stop temperature top_k top_p
palm: max_tokens n prompt stop temperature top_k top_p
triton: bad_words max_tokens prompt stop temperature top_k top_p
workers-ai: max_tokens prompt raw
"""

_EMBEDDINGS = """
azure-openai cometapi dashscope iointelligence kluster-ai nebius openai upstage x-ai: dimensions
    encoding_format input user
ai21: input type
anyscale azure-ai github: input user
bedrock/amazon: * -user +normalize
bedrock/cohere cohere: encoding_format input input_type truncate
fireworks-ai: dimensions input
google mistral-ai ollama palm together-ai workers-ai zhipu: input
jina: * -user
nomic: input task_type
siliconflow: * -dimensions -user
vertex-ai vertex-ai/google: dimensions input parameters
voyage: encoding_format input input_type truncation
"""

_MESSAGES = """
anthropic azure-ai: container max_tokens mcp_servers messages metadata service_tier stop_sequences system
    temperature thinking tool_choice tools top_k top_p
bedrock bedrock/ai21 bedrock/amazon bedrock/cohere bedrock/meta bedrock/mistral: * -container -mcp_servers
    -service_tier -thinking -top_k +performance_config
bedrock/anthropic: * -container -mcp_servers -service_tier +additional_model_request_fields +anthropic_beta
    +anthropic_version +performance_config +user
vertex-ai/anthropic: * +anthropic_version
"""

_COUNT_TOKENS = """
anthropic vertex-ai/anthropic: container max_tokens mcp_servers messages metadata service_tier
    stop_sequences system temperature thinking tool_choice tools top_k top_p
bedrock bedrock/ai21 bedrock/amazon bedrock/cohere bedrock/meta bedrock/mistral: * -container -max_tokens
    -mcp_servers -service_tier -thinking -top_k
bedrock/anthropic: * -max_tokens
"""


_RESPONSES = """
openai: background conversation include input instructions max_output_tokens max_tool_calls metadata
    modalities parallel_tool_calls previous_response_id prompt prompt_cache_key reasoning safety_identifier
    service_tier store stream_options temperature text tool_choice tools top_logprobs top_p truncation user
"""


_UNANSWERED = """
302ai deepinfra deepseek lingyi moonshot ncompass perplexity-ai zhipu: audio function_call functions logprobs
    modalities parallel_tool_calls reasoning_effort thinking tool_choice tools top_logprobs
novita-ai sambanova together-ai: audio function_call functions logprobs modalities parallel_tool_calls
    reasoning_effort thinking tool_choice tools top_logprobs
fireworks-ai groq mistral-ai openrouter: audio logprobs modalities reasoning_effort thinking top_logprobs
aibadgr lemonfox-ai lepton predibase: logprobs top_logprobs
reka-ai: tool_choice tools
anthropic google vertex-ai vertex-ai/anthropic vertex-ai/google: reasoning_effort thinking
bedrock bedrock/ai21 bedrock/amazon bedrock/anthropic bedrock/cohere bedrock/meta
    bedrock/mistral: reasoning_effort thinking
"""


def _parsed(table: str) -> Mapping[str, frozenset[str]]:
    rows: dict[str, frozenset[str]] = {}
    first: frozenset[str] | None = None
    for line in re.sub(r"\n +", " ", table.strip()).splitlines():
        providers, _, spec = line.partition(": ")
        words = spec.split()
        if words[0] == "*" and first is not None:
            removed = {word[1:] for word in words if word[0] == "-"}
            added = {word[1:] for word in words if word[0] == "+"}
            fields = (first - removed) | added
        else:
            fields = frozenset(words)
        first = fields if first is None else first
        rows.update(dict.fromkeys(providers.split(), fields))
    return rows


_FORWARDED: Final[Mapping[GatewayRoute, Mapping[str, frozenset[str]]]] = {
    GatewayRoute.CHAT: _parsed(_CHAT),
    GatewayRoute.COMPLETIONS: _parsed(_COMPLETIONS),
    GatewayRoute.EMBEDDINGS: _parsed(_EMBEDDINGS),
    GatewayRoute.MESSAGES: _parsed(_MESSAGES),
    GatewayRoute.COUNT_TOKENS: _parsed(_COUNT_TOKENS),
    GatewayRoute.RESPONSES: _parsed(_RESPONSES),
}

_UNANSWERED_FIELDS: Final = _parsed(_UNANSWERED)

FAITHFUL_SLUGS: Final = frozenset(
    {
        "azure-ai",
        "azure-openai",
        "cerebras",
        "dashscope",
        "deepbricks",
        "featherless-ai",
        "github",
        "inference-net",
        "iointelligence",
        "kluster-ai",
        "krutrim",
        "lambda",
        "matterai",
        "modal",
        "nebius",
        "nextbit",
        "nscale",
        "openai",
        "siliconflow",
        "upstage",
        "x-ai",
        "z-ai",
    }
)
"""OpenAI-shaped providers whose answers and chunks Portkey passes on untouched."""

_REGION_PREFIX: Final = re.compile(r"^(us|eu|apac|au|ca|jp|global)\.")


def model_family(slug: str, model: str) -> str:
    """`bedrock/anthropic` for a model of a family with rules of its own at this provider; else the slug."""
    if slug == "bedrock":
        model = _REGION_PREFIX.sub("", model)
    elif slug != "vertex-ai":
        return slug
    family = f"{slug}/{model.partition('.')[0]}"
    return family if any(family in rows for rows in _FORWARDED.values()) else slug


def forwarded_fields(route: GatewayRoute, slug: str, model: str) -> frozenset[str] | None:
    """The body fields that reach this model; None when Portkey does not offer the route for it."""
    fields = _FORWARDED[route].get(model_family(slug, model))
    if fields is None:
        return None
    extra = frozenset({"stream_options"}) if slug in USAGE_UNASKED else frozenset()
    return fields | ALWAYS_FORWARDED | extra


def unanswered_fields(slug: str, model: str) -> frozenset[str]:
    """Fields of a chat that arrive, but whose effect Portkey leaves out of the answer or of its stream: tool
    calls, reasoning, log probabilities, sound."""
    return _UNANSWERED_FIELDS.get(model_family(slug, model), frozenset())


def known_slugs() -> frozenset[str]:
    """Every `x-portkey-provider` that this version offers anything for."""
    return frozenset(name for rows in _FORWARDED.values() for name in rows if "/" not in name)
