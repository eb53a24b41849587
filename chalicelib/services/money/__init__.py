"""Earnings, payouts and payments, each booked once."""
