"""How many tokens a request is taken to use before anybody knows."""

from typing import Final

from domain.llm.request import LlmRequest, Operation

OUTPUT_TOKENS_TYPICAL: Final = 512
"""Of answers to callers who set no maximum."""
_ANSWERED_IN_TOKENS: Final = frozenset({Operation.CHAT, Operation.COMPLETION})


def estimated_tokens(request: LlmRequest) -> tuple[int, int]:
    """Input and output: a typical count of what was sent, and the most that may be answered where the caller
    bounded it. Corrected by what is billed, once that is known."""
    if request.operation is Operation.TOOL:
        return 0, 0
    if request.operation not in _ANSWERED_IN_TOKENS:
        return request.input_tokens_typical, 0
    longest = request.max_output_tokens
    answer = OUTPUT_TOKENS_TYPICAL if longest is None else longest
    return request.input_tokens_typical, answer * request.choices
