"""Names of members, by what stands there, in every dialect."""

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


WORDS: Final = _names(
    "type role id object status model name tool_call_id call_id tool_use_id file_id item_id response_id "
    "previous_response_id container_id finish_reason stop_reason finishReason blockReason mimeType "
    "mime_type media_type format detail signature thoughtSignature thought_signature encrypted_content "
    "voice size quality style effort summary_type service_tier truncation encoding_format mode "
    "system_fingerprint phase background response_format tool_choice reasoning_effort verbosity taskType "
    "task_type responseMimeType response_mime_type modelVersion responseId output_format input_format ttl "
    "language thinking_level thinkingLevel server_label connector_id approval_request_id environment_id "
    "responseModalities modalities include timestamp_granularities timestamp_granularities[] category "
    "probability obfuscation event container cachedContent cached_content speed moderation display caller "
    "native_finish_reason provider"
)
"""What stands there is an id or a word of an enumeration, as long as it looks like one."""
MEDIA: Final = _names("data file_data b64_json partial_image_b64 result image_url url fileUri file_uri")
"""Media in base64, or as a `data:` URL; any other text there is a text."""
STRUCTURE: Final = _names(
    "messages content tool_calls function function_call custom tools functions system source image_url "
    "input_audio file audio prediction response_format json_schema contents parts systemInstruction "
    "system_instruction functionDeclarations function_declarations functionCall functionResponse "
    "function_response inlineData inline_data fileData file_data toolConfig tool_config "
    "functionCallingConfig function_calling_config generationConfig generation_config thinkingConfig "
    "thinking_config reasoning text summary choices message delta candidates citations annotations usage "
    "documents requests input output items item part response response_metadata usageMetadata "
    "output_config reasoning_details cache_control stream_options thinking results refusal safetySettings "
    "safetyRatings promptFeedback context_management container mcp_servers segments words content_block "
    "embedding_types code_execution_result codeExecutionResult executableCode executable_code logprobs "
    "logit_bias tool_choice error incomplete_details completion_tokens_details prompt_tokens_details "
    "input_tokens_details output_tokens_details cache_creation server_tool_use prompt_tokens query data "
    "groundingMetadata citationMetadata urlContextMetadata allowed_tools code transcript "
    "reasoning_content"
)
"""They hold structure, or a text that its name says nothing about."""
FREE: Final = _names("args input_schema parameters schema parametersJsonSchema responseSchema metadata")
"""They hold what callers and tools make up."""
OPAQUE: Final = _names("signature thoughtSignature thought_signature encrypted_content obfuscation")
"""Signatures and what is encrypted."""
