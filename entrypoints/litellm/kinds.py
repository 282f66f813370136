"""Which of our providers a LiteLLM model string means."""

import re
from typing import Final, NamedTuple

_SAME: Final = (
    "openai anthropic azure mistral deepseek cohere perplexity groq openrouter cerebras deepinfra nebius "
    "sambanova hyperbolic nscale huggingface replicate github ollama vllm databricks ai21 dashscope minimax "
    "zai elevenlabs upstage"
)
KINDS: Final = {name: name for name in _SAME.split()} | {
    "text-completion-openai": "openai",
    "azure_text": "azure",
    "gemini": "google",
    "vertex_ai": "vertex",
    "vertex_ai_beta": "vertex",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "codestral": "mistral",
    "xai": "x-ai",
    "cohere_chat": "cohere",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "novita": "novita",
    "nvidia_nim": "nvidia",
    "lambda_ai": "lambda",
    "featherless_ai": "featherless-ai",
    "github_copilot": "github-copilot",
    "ollama_chat": "ollama",
    "hosted_vllm": "vllm",
    "ai21_chat": "ai21",
    "voyage": "voyageai",
    "jina_ai": "jina",
    "moonshot": "moonshotai",
    "custom_openai": "openai",
    "openai_like": "openai",
    "litellm_proxy": "openai",
    "lm_studio": "openai",
    "llamafile": "openai",
    "xinference": "openai",
}
"""LiteLLM's provider prefix, and the kind of ours."""
NEEDS_ADDRESS: Final = frozenset(
    {"custom_openai", "openai_like", "litellm_proxy", "lm_studio", "llamafile", "xinference", "hosted_vllm"}
)
_BARE: Final = (
    (re.compile(r"(gpt|chatgpt|o\d|text-embedding|dall-e|whisper|tts|omni-moderation|ft:gpt)"), "openai"),
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"gemini"), "vertex"),
    (re.compile(r"(command|embed-|rerank)"), "cohere"),
    (re.compile(r"(mistral|codestral|ministral|pixtral)"), "mistral"),
    (re.compile(r"deepseek"), "deepseek"),
    (re.compile(r"grok"), "x-ai"),
)
_INNER: Final = {
    "aws": ("converse/", "invoke/", "converse_like/"),
    "azure": ("o_series/", "gpt5_series/", "responses/"),
    "openai": ("responses/",),
    "vertex": (),
}


class ModelString(NamedTuple):
    """The parts of `litellm_params.model`. `prefix` is LiteLLM's; empty: it was guessed from the name."""

    prefix: str
    kind: str
    model: str


def read_model(text: str, custom_provider: str | None) -> ModelString | None:
    """What is meant; None: no provider of ours."""
    prefix, slash, rest = text.partition("/")
    if custom_provider:
        kind = KINDS.get(custom_provider)
        model = rest if slash and prefix == custom_provider else text
        return None if kind is None else ModelString(custom_provider, kind, _bare_model(kind, model))
    if slash and prefix in KINDS:
        kind = KINDS[prefix]
        return ModelString(prefix, kind, _bare_model(kind, rest))
    if slash:
        return None
    for pattern, kind in _BARE:
        if pattern.match(text):
            return ModelString("", kind, text)
    return None


def _bare_model(kind: str, model: str) -> str:
    """Without the words that only tell LiteLLM which of its code paths to take."""
    for word in _INNER.get(kind, ()):
        model = model.removeprefix(word)
    return model
