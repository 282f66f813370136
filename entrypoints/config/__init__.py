"""Configuration: one YAML file and the environment, read into one frozen `Settings`.

The file wins over the environment, command-line flags win over both. Every problem is reported at once,
each with the line and column (or the variable) it stands at, what is wrong and what is allowed. The same
models give the JSON Schema, so what an editor accepts is what the server accepts.
"""
