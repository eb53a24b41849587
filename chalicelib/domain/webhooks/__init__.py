"""Webhook endpoints: who is told of what by HTTPS, in which words, and when it is tried again."""
