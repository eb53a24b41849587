"""What the demo and the bench are made of.

A local stack in a process of its own, people who talk to it, quantiles of what was measured.
"""
