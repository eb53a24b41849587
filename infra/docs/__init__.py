"""Parts of README.md and docs/ that are written from the code, and checked by tests.

The diagrams of the flows, and what a stage costs.
"""
