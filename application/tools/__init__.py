"""Running tools of integrations: what is open, what may be asked, what came of it."""
