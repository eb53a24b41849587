"""Connections, mailboxes and wakeups as plain data: who subscribes, and to where each has been
delivered to."""
