"""`make secret` and `make deploy`: a stage's secret, and the stack that needs it."""
