"""Finding out how good answers are, beside the requests."""
