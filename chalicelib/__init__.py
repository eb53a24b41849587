"""Waybill: what is deployed. docs/architecture.md walks one message through it."""
