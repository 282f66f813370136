"""What model families can do, by name: the price books know prices, this table knows abilities.

Each row is (pattern, abilities, quality, context window, longest answer). The first row of a brand that
matches decides; most specific first. `None` means that we do not know, and stays unknown.

`quality` is a coarse **prior** in [0, 1] for the quality strategy: our ranking of well-known families against
each other by size and generation, not a measurement. Feedback corrects it; an operator overrides it.

Abilities are letters, so that a row stays readable: v vision, a audio in, A audio out, i image out,
f function calling, s structured output (a JSON schema is enforced), r reasoning, c code.
"""

import re
from typing import Final, NamedTuple

from domain.llm.capabilities import NO_CAPABILITY, Capability

LETTERS: Final = {
    "v": Capability.VISION,
    "a": Capability.AUDIO_IN,
    "A": Capability.AUDIO_OUT,
    "i": Capability.IMAGE,
    "f": Capability.FUNCTION_CALLING,
    "s": Capability.STRUCTURED_OUTPUT,
    "r": Capability.REASONING,
    "c": Capability.CODE,
}


class Family(NamedTuple):
    """One row. Sizes are tokens."""

    pattern: re.Pattern[str]
    abilities: Capability
    quality: float | None
    context_tokens: int | None
    max_output_tokens: int | None


_Row = tuple[str, str, float | None, int | None, int | None]

_CLAUDE: Final[list[_Row]] = [
    (r"claude-(instant|v1|2)", "", 0.45, None, 4_096),
    (r"claude-3-haiku", "vf", 0.55, 200_000, 4_096),
    (r"claude-3-sonnet", "vfc", 0.60, 200_000, 4_096),
    (r"claude-3-opus", "vfc", 0.72, 200_000, 4_096),
    (r"claude-3-5-haiku|claude-haiku-3-5", "vfc", 0.68, 200_000, 8_192),
    (r"claude-3-5-sonnet|claude-sonnet-3-5", "vfc", 0.78, 200_000, 8_192),
    (r"claude-3-7-sonnet|claude-sonnet-3-7", "vfrc", 0.82, 200_000, 64_000),
    (r"claude-haiku-4-5", "vfsrc", 0.82, 200_000, 64_000),
    (r"claude-(sonnet-4-5)", "vfsrc", 0.90, 200_000, 64_000),
    (r"claude-(sonnet-4(-0|-2025\d+|-v\d|$)|4-sonnet)", "vfrc", 0.87, 200_000, 64_000),
    (r"claude-opus-4-5", "vfsrc", 0.93, 200_000, 64_000),
    (r"claude-opus-4-1", "vfsrc", 0.91, 200_000, 32_000),
    (r"claude-(opus-4(-0|-2025\d+|-v\d|$)|4-opus)", "vfrc", 0.90, 200_000, 32_000),
    (r"claude-haiku-", "vfsrc", 0.82, None, None),
    (r"claude-sonnet-", "vfsrc", 0.90, None, None),
    (r"claude-opus-", "vfsrc", 0.93, None, None),
    (r"claude-", "vfrc", None, None, None),
]
_OPENAI: Final[list[_Row]] = [
    (r"gpt-oss-120b", "fsrc", 0.72, 131_072, None),
    (r"gpt-oss-(safeguard-)?20b", "fsr", 0.60, 131_072, None),
    (r"gpt-3-5-turbo-instruct|gpt-35-turbo-instruct", "", 0.40, 4_096, 4_096),
    (r"gpt-3-?5", "f", 0.45, 16_385, 4_096),
    (r"gpt-4-(turbo|vision|1106|0125)", "vfc", 0.68, 128_000, 4_096),
    (r"gpt-4-32k", "fc", 0.65, 32_768, None),
    (r"gpt-4(-0314|-0613|$)", "fc", 0.65, 8_192, 8_192),
    (r"gpt-4o-mini-search|gpt-4o-search", "s", None, 128_000, 16_384),
    (r"gpt-4o-mini", "vfsc", 0.62, 128_000, 16_384),
    (r"gpt-4o-20240513", "vfc", 0.76, 128_000, 4_096),
    (r"chatgpt-4o", "vc", 0.76, 128_000, 16_384),
    (r"gpt-4o", "vfsc", 0.76, 128_000, 16_384),
    (r"gpt-4-1-nano", "vfs", 0.55, 1_047_576, 32_768),
    (r"gpt-4-1-mini", "vfsc", 0.70, 1_047_576, 32_768),
    (r"gpt-4-1", "vfsc", 0.80, 1_047_576, 32_768),
    (r"gpt-4-5", "vfsc", 0.80, 128_000, 16_384),
    (r"gpt-5-chat|gpt-chat", "vsc", 0.85, 128_000, 16_384),
    (r"gpt-5-search", "s", None, None, None),
    (r"gpt-5-nano", "vfsrc", 0.68, 400_000, 128_000),
    (r"gpt-5-mini", "vfsrc", 0.80, 400_000, 128_000),
    (r"gpt-5-pro", "vfsrc", 0.93, 400_000, 272_000),
    (r"gpt-5(-codex|-2025\d+|$)", "vfsrc", 0.90, 400_000, 128_000),
    (r"gpt-[5-9](-\d)?-nano", "vfsrc", 0.68, None, None),
    (r"gpt-[5-9](-\d)?-mini", "vfsrc", 0.80, None, None),
    (r"gpt-[5-9](-\d)?-pro", "vfsrc", 0.93, None, None),
    (r"gpt-[5-9](-\d)?(-codex|-20\d+|$)", "vfsrc", 0.91, None, None),
    (r"gpt-[5-9]", "vfsrc", None, None, None),
    (r"gpt-4", "fc", None, None, None),
]
_O_SERIES: Final[list[_Row]] = [
    (r"(^|/)o1-mini", "rc", 0.70, 128_000, 65_536),
    (r"(^|/)o1-preview", "rc", 0.78, 128_000, 32_768),
    (r"(^|/)o1-pro", "vfsrc", 0.84, 200_000, 100_000),
    (r"(^|/)o1", "vfsrc", 0.82, 200_000, 100_000),
    (r"(^|/)o3-mini", "fsrc", 0.76, 200_000, 100_000),
    (r"(^|/)o[34]-.*deep-research", "vr", None, 200_000, 100_000),
    (r"(^|/)o3-pro", "vfsrc", 0.90, 200_000, 100_000),
    (r"(^|/)o3", "vfsrc", 0.88, 200_000, 100_000),
    (r"(^|/)o4-mini", "vfsrc", 0.82, 200_000, 100_000),
]
_GEMINI: Final[list[_Row]] = [
    (r"gemini-(1-0-)?pro-vision", "v", 0.45, 16_384, 2_048),
    (r"gemini-(1-0-pro|pro$)", "f", 0.50, 32_768, 8_192),
    (r"gemini-(1-5-flash-8b|flash-1-5-8b)", "vafs", 0.50, 1_048_576, 8_192),
    (r"gemini-(1-5-flash|flash-1-5)", "vafs", 0.60, 1_048_576, 8_192),
    (r"gemini-(1-5-pro|pro-1-5)", "vafsc", 0.70, 2_097_152, 8_192),
    (r"gemini-2-0-flash-lite", "vafs", 0.60, 1_048_576, 8_192),
    (r"gemini-2-0-flash", "vafsc", 0.68, 1_048_576, 8_192),
    (r"gemini-2-5-flash-lite", "vafsrc", 0.68, 1_048_576, 65_536),
    (r"gemini-2-5-flash", "vafsrc", 0.78, 1_048_576, 65_536),
    (r"gemini-2-5-pro", "vafsrc", 0.89, 1_048_576, 65_536),
    (r"gemini-3-pro", "vafsrc", 0.91, 1_048_576, 65_536),
    (r"gemini-3-flash", "vafsrc", 0.85, 1_048_576, 65_536),
    (r"gemini-([3-9]-\d-)?flash-lite", "vafsrc", 0.72, None, None),
    (r"gemini-([3-9]-\d-)?flash", "vafsrc", 0.84, None, None),
    (r"gemini-([3-9]-\d-)?pro", "vafsrc", 0.91, None, None),
    (r"gemini-(robotics|embodied)", "v", None, None, None),
    (r"gemini-[3-9]", "vafs", None, None, None),
]
_GEMMA: Final[list[_Row]] = [
    (r"gemma-3n", "va", 0.45, None, None),
    (r"gemma-3-27b", "v", 0.60, 131_072, None),
    (r"gemma-3-12b", "v", 0.52, 131_072, None),
    (r"gemma-3-1b", "", 0.30, 32_768, None),
    (r"gemma-3", "v", 0.42, None, None),
    (r"gemma-?2-27b", "", 0.52, 8_192, None),
    (r"gemma-?2", "", 0.42, 8_192, None),
    (r"gemma", "", None, None, None),
]
_LLAMA: Final[list[_Row]] = [
    (r"llama-?(prompt-)?guard", "", None, None, None),
    (r"llama-?4-maverick", "vfs", 0.70, None, None),
    (r"llama-?4-scout", "vfs", 0.64, None, None),
    (r"llama-?(v)?3-?p?3-.*70b", "fc", 0.68, 131_072, None),
    (r"llama-?(v)?3-?p?2-.*90b", "v", 0.62, 131_072, None),
    (r"llama-?(v)?3-?p?2-.*11b", "v", 0.50, 131_072, None),
    (r"llama-?(v)?3-?p?2-.*3b", "", 0.38, 131_072, None),
    (r"llama-?(v)?3-?p?2-.*1b", "", 0.28, 131_072, None),
    (r"llama-?(v)?3-?p?1-.*405b", "fc", 0.72, 131_072, None),
    (r"llama-?(v)?3-?p?1-.*70b", "fc", 0.65, 131_072, None),
    (r"llama-?(v)?3-?p?1-.*8b", "f", 0.46, 131_072, None),
    (r"llama-?3-.*70b", "", 0.58, 8_192, None),
    (r"llama-?3-.*8b", "", 0.42, 8_192, None),
    (r"llama-?2-.*70b|llama2-.*70b", "", 0.40, 4_096, None),
    (r"llama-?2-.*(7b|13b)", "", 0.30, 4_096, None),
]
_MISTRAL: Final[list[_Row]] = [
    (r"mistral-large-2402", "f", 0.66, 32_000, None),
    (r"mistral-large-24", "fsc", 0.72, 131_072, None),
    (r"mistral-large", "fsc", 0.74, None, None),
    (r"mistral-medium-23", "", 0.50, 32_000, None),
    (r"mistral-medium", "vfsc", 0.76, 131_072, None),
    (r"mistral-small-24(02|09)", "fs", 0.52, 32_000, None),
    (r"mistral-small-(24b|3-24b|2501)", "fs", 0.60, 32_768, None),
    (r"mistral-small-3-[12]|mistral-small-25", "vfs", 0.63, 131_072, None),
    (r"mistral-small", "fs", 0.60, None, None),
    (r"ministral-.*14b", "fs", None, None, None),
    (r"ministral-.*8b", "fs", 0.50, None, None),
    (r"ministral-.*3b", "fs", 0.42, None, None),
    (r"codestral", "fsc", 0.64, None, None),
    (r"devstral", "fsc", 0.66, None, None),
    (r"magistral-medium", "fsrc", 0.76, None, None),
    (r"magistral", "fsr", 0.66, None, None),
    (r"pixtral-large", "vfsc", 0.70, 131_072, None),
    (r"pixtral", "vfs", 0.52, 131_072, None),
    (r"voxtral", "af", None, None, None),
    (r"mixtral-8x22b", "f", 0.56, 65_536, None),
    (r"mixtral-8x7b", "", 0.46, 32_768, None),
    (r"mistral-(open-)?nemo|open-mistral-nemo", "fs", 0.50, 131_072, None),
    (r"mistral-saba", "f", 0.55, 32_768, None),
    (r"mistral-(tiny|7b)|open-mistral-7b", "", 0.38, 32_768, None),
]
_DEEPSEEK: Final[list[_Row]] = [
    (r"deepseek-r1-distill", "r", 0.62, None, None),
    (r"deepseek-r1|deepseek-reasoner", "rc", 0.82, None, None),
    (r"deepseek-v3(-|p)[12]", "fsrc", 0.82, None, None),
    (r"deepseek-(chat|v3)", "fsc", 0.78, None, None),
    (r"deepseek-v[4-9]", "fsrc", None, None, None),
    (r"deepseek-coder", "c", 0.55, None, None),
    (r"deepseek-(prover|ocr)", "", None, None, None),
]
_QWEN: Final[list[_Row]] = [
    (r"qwen-?3-coder-480b|qwen-?3-coder-plus", "fc", 0.78, None, None),
    (r"qwen-?3-coder", "fc", 0.70, None, None),
    (r"qwen-?3-235b.*thinking", "frc", 0.80, None, None),
    (r"qwen-?3-235b", "frc", 0.78, None, None),
    (r"qwen-?3-vl", "vf", 0.70, None, None),
    (r"qwen-?3-max", "fsc", 0.82, None, None),
    (r"qwen-?3-next", "fc", 0.74, None, None),
    (r"qwen-?3-32b", "frc", 0.70, None, None),
    (r"qwen-?3-30b", "frc", 0.66, None, None),
    (r"qwen-?3-(14b|8b)", "fr", 0.56, None, None),
    (r"qwen-?3-(4b|1-7b|0-6b)", "r", 0.42, None, None),
    (r"qwen-?3(-|p)[5-9].*vl", "vf", None, None, None),
    (r"qwen-?3(-|p)[5-9]|qwen3[5-9]", "fr", None, None, None),
    (r"qwen-?(2-5|2p5)-vl-72b", "v", 0.66, None, None),
    (r"qwen-?(2-5|2p5)-vl", "v", 0.50, None, None),
    (r"qwen-?(2-5|2p5)-72b", "fc", 0.68, None, None),
    (r"qwen-?(2-5|2p5)-coder-32b", "c", 0.66, None, None),
    (r"qwen-?(2-5|2p5)", "f", 0.46, None, None),
    (r"qwen-max", "fc", 0.76, None, None),
    (r"qwen-plus", "fc", 0.72, None, None),
    (r"qwen-turbo", "f", 0.58, None, None),
    (r"qwq", "frc", 0.70, None, None),
]
_GROK: Final[list[_Row]] = [
    (r"grok-voice", "aA", None, None, None),
    (r"grok-2-vision|grok-vision", "vf", 0.66, 32_768, None),
    (r"grok-2|grok-beta", "fs", 0.66, 131_072, None),
    (r"grok-3-mini", "fsrc", 0.76, 131_072, None),
    (r"grok-3", "fsc", 0.82, 131_072, None),
    (r"grok-code", "fsrc", 0.74, 256_000, None),
    (r"grok-4(-1)?-fast-non", "vfsc", 0.80, 2_000_000, None),
    (r"grok-4(-1)?-fast", "vfsrc", 0.84, 2_000_000, None),
    (r"grok-4-0709|grok-4($|-latest)", "vfsrc", 0.90, 256_000, None),
    (r"grok-[4-9]", "vfsrc", None, None, None),
]
_OTHERS: Final[dict[str, list[_Row]]] = {
    "command": [
        (r"command-a-reasoning", "frc", 0.74, 256_000, 32_768),
        (r"command-a-vision", "v", 0.68, 128_000, 8_192),
        (r"command-a", "fsc", 0.72, 256_000, 8_192),
        (r"command-r-plus", "fs", 0.62, 128_000, 4_096),
        (r"command-r7b", "fs", 0.48, 128_000, 4_096),
        (r"command-r", "fs", 0.55, 128_000, 4_096),
        (r"command-light", "", 0.30, 4_096, None),
        (r"(^|/)command$", "", 0.38, 4_096, None),
    ],
    "sonar": [
        (r"sonar-deep-research", "r", None, 128_000, None),
        (r"sonar-reasoning-pro", "sr", 0.80, 128_000, None),
        (r"sonar-reasoning", "sr", 0.74, 128_000, None),
        (r"sonar-pro", "vs", 0.74, 200_000, 8_000),
        (r"(^|/)sonar$", "vs", 0.65, 128_000, None),
    ],
    "kimi": [
        (r"kimi-k2-thinking", "frc", 0.84, 262_144, None),
        (r"kimi-k2-0711", "fc", 0.78, 131_072, None),
        (r"kimi-k2(-0905|-instruct|-turbo|$)", "fc", 0.78, None, None),
        (r"kimi-k[2-9]", "frc", None, None, None),
    ],
    "moonshot-v1": [
        (r"moonshot-v1-128k", "f", 0.52, 131_072, None),
        (r"moonshot-v1-32k", "f", 0.52, 32_768, None),
        (r"moonshot-v1-8k", "f", 0.52, 8_192, None),
    ],
    "glm": [
        (r"glm-4-\dv", "vfr", 0.70, None, None),
        (r"glm-4-5-air", "fr", 0.70, 131_072, None),
        (r"glm-4-5", "frc", 0.78, 131_072, None),
        (r"glm-4-6", "frc", 0.80, 200_000, None),
        (r"glm-4-7", "frc", 0.81, None, None),
        (r"glm-[5-9]", "frc", None, None, None),
    ],
    "minimax": [
        (r"minimax-m1", "fr", 0.70, None, None),
        (r"minimax-m2", "frc", 0.77, None, None),
        (r"minimax-m[3-9]", "frc", None, None, None),
    ],
    "nova": [
        (r"nova-micro", "f", 0.48, 128_000, 5_120),
        (r"nova-lite", "vf", 0.55, 300_000, 5_120),
        (r"nova-pro", "vfc", 0.66, 300_000, 5_120),
        (r"nova-premier", "vfc", 0.72, 1_000_000, None),
        (r"nova-2-lite", "vfr", None, None, None),
        (r"nova-(2-)?sonic", "aAf", None, None, None),
    ],
    "phi": [
        (r"phi-4-multimodal", "va", 0.50, 131_072, None),
        (r"phi-4-(mini-)?reasoning", "r", 0.60, None, None),
        (r"phi-4-mini", "f", 0.44, 131_072, None),
        (r"phi-4", "", 0.58, 16_384, None),
        (r"phi-3-5-vision|phi-3-vision", "v", 0.42, None, None),
        (r"phi-3", "", 0.42, None, None),
    ],
    "jamba": [
        (r"jamba-.*large", "fs", 0.60, 256_000, 4_096),
        (r"jamba", "fs", 0.48, 256_000, 4_096),
    ],
}


def _compiled(rows: list[_Row]) -> tuple[Family, ...]:
    return tuple(
        Family(re.compile(pattern), abilities_of(letters), quality, context, longest)
        for pattern, letters, quality, context, longest in rows
    )


def abilities_of(letters: str) -> Capability:
    """`"vf"` -> vision and function calling."""
    found = NO_CAPABILITY
    for letter in letters:
        found |= LETTERS[letter]
    return found


FAMILIES: Final[dict[str, tuple[Family, ...]]] = {
    # A brand is a piece of text that every pattern of its rows needs, so that few rows are tried per name.
    brand: _compiled(rows)
    for brand, rows in {
        "claude": _CLAUDE,
        "gpt": _OPENAI,
        "gemini": _GEMINI,
        "gemma": _GEMMA,
        "llama": _LLAMA,
        "deepseek": _DEEPSEEK,
        "qw": _QWEN,
        "grok": _GROK,
        "stral": _MISTRAL,
        "mixtral": _MISTRAL,
        **_OTHERS,
    }.items()
}
O_SERIES: Final = _compiled(_O_SERIES)
