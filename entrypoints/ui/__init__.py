"""The pages of `/ui`: rendered on the server, from the JSON of our own API, with the rights of who looks.

A page can do nothing that a route of the API cannot: it asks in process, as the person who is logged in, so
permissions, validation, tenants and the audit trail are decided in one place.
"""
