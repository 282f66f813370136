"""What is personal or secret in a text, and what a policy does about it."""
