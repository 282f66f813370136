"""Credentials of others that are kept here: what they are called, who may hold them, when keys turn."""
