"""Everything around the application: running it here, deploying it, measuring it.

A room for each; chalicelib imports nothing of it, and nothing of it is deployed.
"""
