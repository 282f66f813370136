"""The three families of upstreams every client is run against, and the models they have."""

FAMILIES = ("openai", "anthropic", "gemini")
PROVIDERS = {"openai": "alpha", "anthropic": "beta", "gemini": "gamma"}

# Agents send prompts of tens of thousands of tokens, so the window that overflows is larger than those.
_TALKS = "[text, streaming, function_calling, vision, structured_output, reasoning]"
_LIMITS = "max_output_tokens: 64000, capabilities: "
_PRICE = "input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4"
FAULTY = ("fail-400", "fail-401", "fail-404", "fail-429", "fail-500", "fail-529", "stalls")
_WINDOWS = {"small": 400_000, "think": 400_000, "titles": 400_000, "tight-ctx60k": 60_000} | dict.fromkeys(
    FAULTY, 400_000
)


def target(family: str, model: str = "small") -> str:
    """The name by which a client asks for a model of a family."""
    return f"{PROVIDERS[family]}/{model}"


def _provider(family: str, base_url: str) -> str:
    windows = {**_WINDOWS, f"claude-think-{family}": 400_000}
    models = "\n".join(
        f"      {name}: {{{_PRICE}, context_tokens: {window}, {_LIMITS}{_TALKS}}}"
        for name, window in windows.items()
    )
    return (
        f"  {PROVIDERS[family]}:\n    kind: {family}\n    base_url: {base_url}\n"
        f"    api_key: secret-of-{PROVIDERS[family]}\n    via: direct\n    models:\n{models}\n"
        f"      embed: {{input_usd_per_mtok: 0.02, context_tokens: 8192, capabilities: [embeddings]}}\n"
    )


def config(simulator_url: str) -> str:
    """The server's configuration.

    `claude-think-<family>` is a route to a model of the same name: Claude Code gives thinking back only while
    the model that answers has the name it asked for. `roomy-<family>` falls back from a small window to a
    large one; `<family>-<model>` are routes without retries for the models that fail.
    """
    bases = {"openai": "alpha/v1", "anthropic": "beta", "gemini": "gamma"}
    lines = [
        "health: {minimum_samples: 100000, unavailable_consecutive_failures: 100000}",
        "breaker: {consecutive_failures: 1000, minimum_calls: 100000}",
        "providers:",
        *(_provider(family, f"{simulator_url}/{base}").rstrip() for family, base in bases.items()),
        "routes:",
    ]
    for family in FAMILIES:
        tight, small = target(family, "tight-ctx60k"), target(family)
        lines.append(f"  roomy-{family}: {{strategy: priority, targets: [{tight}, {small}]}}")
        lines.append(f"  claude-think-{family}: {{targets: [{target(family, f'claude-think-{family}')}]}}")
        lines += [
            f"  {family}-{name}: {{targets: [{target(family, name)}], retries: 0, max_fallbacks: 0}}"
            for name in (*FAULTY, "tight-ctx60k")
        ]
    return "\n".join(lines) + "\n"
