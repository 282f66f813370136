"""Real clients against a real server: `make clients` runs them and writes docs/compatibility.md.

Each client is driven by a module in `drive/`, in a process of its own and with its own server and simulated
provider. Nothing here is collected by pytest: the clients live in an environment of their own.
"""
