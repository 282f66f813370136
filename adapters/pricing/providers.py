"""Providers the catalogue knows before anyone configures them: how each is reached, and by which names.

Ids are those of the bundled price book, so that prices and providers meet. Key variables are the ones the
provider's own tools or documents use. An address is only given where we are sure of it: a key goes there.
Portkey slugs are those the open-source Portkey gateway accepts.
Quirks are tags of `domain.catalog.tags`, from the vendors' API references; a server that takes both names of
the limit for all its models may be tagged with the older one, which then always works.
Compliance tags are only given to clouds that publish them. `hipaa-eligible` says what the name says:
the operator's own agreement decides, so it does not satisfy a demand for `hipaa` by itself.
"""

from typing import Final

from domain.catalog.offering import CatalogProvider

_CLOUD_REGIONS: Final = frozenset({"us-east", "us-west", "eu-west", "eu-central", "apac"})
_CLOUD_COMPLIANCE: Final = frozenset({"hipaa-eligible", "pci-dss", "soc2", "iso27001"})


def _provider(
    provider_id: str,
    name: str,
    base_url: str | None = None,
    keys: str = "",
    *,
    wire: str = "openai",
    portkey: str | None = None,
    aliases: str = "",
    regions: frozenset[str] = frozenset(),
    compliance: frozenset[str] = frozenset(),
    fallbacks: str = "",
    quirks: str = "",
) -> CatalogProvider:
    return CatalogProvider(
        id=provider_id,
        name=name,
        wire=wire,
        base_url=base_url,
        portkey_slug=portkey,
        key_variables=tuple(keys.split()),
        regions=regions,
        compliance=compliance,
        price_fallbacks=tuple(fallbacks.split()),
        aliases=tuple(aliases.split()),
        tags=frozenset(quirks.split()),
    )


_MAKERS: Final = (
    _provider(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        portkey="openai",
        quirks="max-completion-tokens",
    ),
    _provider(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com/v1",
        "ANTHROPIC_API_KEY",
        wire="anthropic",
        portkey="anthropic",
    ),
    _provider(
        "google",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        "GEMINI_API_KEY GOOGLE_API_KEY",
        wire="gemini",
        portkey="google",
        aliases="gemini google-gla google-ai-studio",
        fallbacks="anthropic",
    ),
    _provider(
        "mistral",
        "Mistral AI",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        portkey="mistral-ai",
        aliases="mistral-ai mistralai",
        quirks="chat-only no-stream-options max-tokens",
    ),
    # Its beta address has all of `/v1`, and completions and marked prefixes, which `/v1` has not.
    _provider(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com/beta",
        "DEEPSEEK_API_KEY",
        portkey="deepseek",
        quirks="max-tokens",
    ),
    _provider("x-ai", "xAI", "https://api.x.ai/v1", "XAI_API_KEY", portkey="x-ai", aliases="xai grok"),
    _provider(
        "cohere",
        "Cohere",
        "https://api.cohere.com/v2",
        "CO_API_KEY COHERE_API_KEY",
        wire="cohere",
        portkey="cohere",
        aliases="cohere-chat",
    ),
    _provider(
        "perplexity",
        "Perplexity",
        "https://api.perplexity.ai",
        "PERPLEXITY_API_KEY PPLX_API_KEY",
        portkey="perplexity-ai",
        aliases="perplexity-ai",
        quirks="chat-only max-tokens",
    ),
    _provider(
        "moonshotai",
        "Moonshot AI",
        "https://api.moonshot.ai/v1",
        "MOONSHOT_API_KEY",
        portkey="moonshot",
        aliases="moonshot",
    ),
    _provider("minimax", "MiniMax", "https://api.minimax.io/v1", "MINIMAX_API_KEY"),
    _provider(
        "zai",
        "Z.AI",
        "https://api.z.ai/api/paas/v4",
        "ZAI_API_KEY",
        portkey="z-ai",
        aliases="z-ai",
        quirks="chat-only max-tokens",
    ),
    _provider(
        "zhipuai",
        "Zhipu AI",
        "https://open.bigmodel.cn/api/paas/v4",
        "ZHIPUAI_API_KEY",
        portkey="zhipu",
        aliases="zhipu",
        quirks="chat-only max-tokens",
    ),
    _provider("ai21", "AI21 Labs", "https://api.ai21.com/studio/v1", "AI21_API_KEY", portkey="ai21"),
    _provider(
        "voyageai",
        "Voyage AI",
        "https://api.voyageai.com/v1",
        "VOYAGE_API_KEY",
        portkey="voyage",
        aliases="voyage",
    ),
    _provider("jina", "Jina AI", "https://api.jina.ai/v1", "JINA_API_KEY", portkey="jina", aliases="jina-ai"),
    _provider("upstage", "Upstage", "https://api.upstage.ai/v1", "UPSTAGE_API_KEY", portkey="upstage"),
    _provider(
        "dashscope",
        "Alibaba Cloud Model Studio",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "DASHSCOPE_API_KEY",
        portkey="dashscope",
        aliases="alibaba qwen",
    ),
    _provider("elevenlabs", "ElevenLabs", "https://api.elevenlabs.io/v1", "ELEVENLABS_API_KEY"),
    _provider("meta", "Meta", None, "", aliases="meta-llama"),
    _provider("arcee", "Arcee AI", None, "", aliases="arcee-ai"),
)
_CLOUDS: Final = (
    _provider(
        "azure",
        "Microsoft Azure",
        None,
        "AZURE_OPENAI_API_KEY AZURE_API_KEY",
        wire="azure",
        portkey="azure-openai",
        aliases="azure-openai azure-ai",
        regions=_CLOUD_REGIONS,
        compliance=_CLOUD_COMPLIANCE,
        fallbacks="openai anthropic deepseek x-ai moonshotai",
        quirks="max-completion-tokens",
    ),
    _provider(
        "vertex",
        "Google Vertex AI",
        None,
        "GOOGLE_APPLICATION_CREDENTIALS",
        wire="vertex",
        portkey="vertex-ai",
        aliases="vertex-ai vertexai google-vertex google-vertex-anthropic",
        regions=_CLOUD_REGIONS,
        compliance=_CLOUD_COMPLIANCE,
        fallbacks="google anthropic",
    ),
    _provider(
        "aws",
        "AWS Bedrock",
        None,
        "AWS_BEARER_TOKEN_BEDROCK AWS_ACCESS_KEY_ID",
        wire="bedrock",
        portkey="bedrock",
        aliases="bedrock amazon-bedrock bedrock-converse",
        regions=_CLOUD_REGIONS,
        compliance=_CLOUD_COMPLIANCE,
    ),
    _provider("databricks", "Databricks", None, "DATABRICKS_TOKEN"),
    _provider(
        "cloudflare",
        "Cloudflare Workers AI",
        None,
        "CLOUDFLARE_API_TOKEN",
        portkey="workers-ai",
        aliases="workers-ai cloudflare-workers-ai",
    ),
    _provider(
        "ovhcloud",
        "OVHcloud AI Endpoints",
        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        "OVH_AI_ENDPOINTS_ACCESS_TOKEN",
        regions=frozenset({"eu-west"}),
    ),
)
_HOSTS: Final = (
    _provider(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        portkey="groq",
        quirks="chat-only",
    ),
    _provider(
        "together",
        "Together AI",
        "https://api.together.xyz/v1",
        "TOGETHER_API_KEY",
        portkey="together-ai",
        aliases="together-ai togetherai",
    ),
    _provider(
        "fireworks",
        "Fireworks AI",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        portkey="fireworks-ai",
        aliases="fireworks-ai",
        quirks="max-tokens",
    ),
    _provider(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        portkey="openrouter",
    ),
    _provider("cerebras", "Cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", portkey="cerebras"),
    _provider(
        "novita",
        "Novita AI",
        "https://api.novita.ai/v3/openai",
        "NOVITA_API_KEY",
        portkey="novita-ai",
        aliases="novita-ai",
    ),
    _provider("avian", "Avian", "https://api.avian.io/v1", "AVIAN_API_KEY"),
    _provider(
        "baseten",
        "Baseten",
        "https://inference.baseten.co/v1",
        "BASETEN_API_KEY",
        quirks="max-tokens",
    ),
    _provider(
        "deepinfra",
        "DeepInfra",
        "https://api.deepinfra.com/v1/openai",
        "DEEPINFRA_API_KEY DEEPINFRA_TOKEN",
        portkey="deepinfra",
        quirks="max-tokens",
    ),
    _provider(
        "nebius",
        "Nebius AI Studio",
        None,
        "NEBIUS_API_KEY",
        portkey="nebius",
        quirks="max-tokens",
    ),
    _provider(
        "sambanova",
        "SambaNova",
        "https://api.sambanova.ai/v1",
        "SAMBANOVA_API_KEY",
        portkey="sambanova",
        quirks="max-tokens",
    ),
    _provider(
        "hyperbolic",
        "Hyperbolic",
        "https://api.hyperbolic.xyz/v1",
        "HYPERBOLIC_API_KEY",
        portkey="hyperbolic",
    ),
    _provider("nscale", "Nscale", "https://inference.api.nscale.com/v1", "", portkey="nscale"),
    _provider(
        "siliconflow",
        "SiliconFlow",
        "https://api.siliconflow.cn/v1",
        "SILICONFLOW_API_KEY",
        portkey="siliconflow",
    ),
    _provider(
        "nvidia",
        "NVIDIA NIM",
        "https://integrate.api.nvidia.com/v1",
        "NVIDIA_API_KEY",
        aliases="nvidia-nim",
        quirks="max-tokens",
    ),
    _provider(
        "huggingface",
        "Hugging Face",
        "https://router.huggingface.co/v1",
        "HF_TOKEN HUGGINGFACE_API_KEY",
        portkey="huggingface",
        aliases="hf",
        quirks="chat-only",
    ),
    _provider(
        "replicate",
        "Replicate",
        "https://api.replicate.com/v1",
        "REPLICATE_API_TOKEN",
        wire="replicate",
        portkey="replicate",
    ),
    # GITHUB_TOKEN is everywhere and means something else: it must not switch a provider on.
    _provider(
        "github",
        "GitHub Models",
        "https://models.github.ai/inference",
        portkey="github",
        aliases="github-models",
        quirks="chat-only",
    ),
    _provider("github-copilot", "GitHub Copilot", "https://api.githubcopilot.com", ""),
    _provider("lambda", "Lambda", None, "LAMBDA_API_KEY", portkey="lambda"),
    _provider(
        "featherless-ai",
        "Featherless AI",
        "https://api.featherless.ai/v1",
        "FEATHERLESS_API_KEY",
        portkey="featherless-ai",
        quirks="max-tokens",
    ),
    _provider("anyscale", "Anyscale", None, "ANYSCALE_API_KEY", portkey="anyscale"),
    _provider("modal", "Modal", None, "", portkey="modal"),
    _provider(
        "ollama",
        "Ollama",
        "http://127.0.0.1:11434/v1",
        "",
        portkey="ollama",
        quirks="max-tokens",
    ),
    _provider("vllm", "vLLM", None, "VLLM_API_KEY"),
    _provider(
        "tgi",
        "Text Generation Inference",
        None,
        "",
        quirks="max-tokens",
    ),
)

PROVIDERS: Final[dict[str, CatalogProvider]] = {
    provider.id: provider for provider in (*_MAKERS, *_CLOUDS, *_HOSTS)
}


def known_provider(provider_id: str, name: str | None = None, wire: str = "openai") -> CatalogProvider:
    """The table's entry, or one that knows no more than its id, name and wire."""
    if known := PROVIDERS.get(provider_id):
        return known
    # Hugging Face routes to other hosts under one key; the price book lists each host by itself.
    keys = PROVIDERS["huggingface"].key_variables if provider_id.startswith("huggingface_") else ()
    return CatalogProvider(id=provider_id, name=name or provider_id, wire=wire, key_variables=keys)


_IDS: Final[dict[str, str]] = {
    alias.replace("_", "-"): provider.id for provider in PROVIDERS.values() for alias in provider.aliases
}


def canonical_id(foreign: str) -> str:
    """Our id for a provider as a feed spells it: `together_ai` -> `together`; an unknown one stays."""
    spelled = foreign.strip().casefold().replace("_", "-")
    return spelled if spelled in PROVIDERS else _IDS.get(spelled, spelled)
