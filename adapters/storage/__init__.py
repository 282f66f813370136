"""Object stores and folders as integrations."""
