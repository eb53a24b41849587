"""Connections, mailboxes and wakeups as plain data: who listens, how far each was told."""
