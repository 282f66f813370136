"""Texts as vectors: MiniLM on this machine, hashed words without any model, or a provider's embeddings.

Modules that need numpy or ctranslate2 (`engine`, `conversion`) are imported only when a model is installed or
first used, so that an installation without the extra `semantic` never meets them.
"""
