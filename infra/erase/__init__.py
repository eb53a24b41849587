"""Erase a person from a stage: `python -m infra.erase PERSON`.

docs/personal-data.md says what of them goes, what stays under a pseudonym, and why.
"""
