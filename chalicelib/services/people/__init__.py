"""Profiles of people and of restaurants."""
