"""Webhooks: endpoints and their owners, what is sent to them, and when it is sent again."""
