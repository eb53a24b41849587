"""Rows and repositories: every condition and every transaction lives here."""
