"""A small city at work: `python -m infra.demo`."""
