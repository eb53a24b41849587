"""The documents that clients are built against: OpenAPI for REST and webhooks, AsyncAPI for
sockets.

`python -m infra.documents` writes both from the tables that the code runs on: the routes and who
may ask, the contracts' messages and writers, the types of webhook events, the errors and the bounds
that readers refuse by. What no table says, the form of a body, is written here beside the bounds,
and held against every answer and frame that the tests see.
"""
