"""One module per client. They run in `.venv-clients` and import nothing of Interchange but the harness."""
