"""Requests to addresses that somebody outside named: no way in must be among them."""
