"""REST integrations: what is read, and what is sent and taken back on real sockets."""
