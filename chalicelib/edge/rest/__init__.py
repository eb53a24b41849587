"""REST: one module for each group of routes; base.py has what all of them do."""
