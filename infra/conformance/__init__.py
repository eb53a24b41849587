"""`make conformance`: the package that AWS gets, deployed to ministack and lived in.

ministack runs each function as a process of its own on the unpacked zip, evaluates the functions'
policies, and serves the REST API, the WebSocket API and @connections.
"""
