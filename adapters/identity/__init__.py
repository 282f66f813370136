"""Tokens and logins of OpenID providers."""
