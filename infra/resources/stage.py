"""Values that all stages have in common, and the local run with them."""

from __future__ import annotations

# The first segment of every path at API Gateway. It calls that a stage as well; ours all use one.
API_STAGE = "api"
# Whole seconds, as the environment has it. The edge cuts what the server leaves silent for 600 s,
# and a pass of the sweep, which sends heartbeats, may come a minute late.
HEARTBEAT_S = "480"
# First segments of REST paths that the edge serves without the stage: of what people are sent.
REST_FOLDERS = ("t",)
