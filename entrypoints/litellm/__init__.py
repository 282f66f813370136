"""Reading what a LiteLLM proxy runs on, and saying it in our own configuration, field by field."""
