"""Configuration files of coding agents: small, exact edits that can be taken back."""
