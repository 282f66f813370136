"""How well and how fast personal data is found, beside Presidio."""
