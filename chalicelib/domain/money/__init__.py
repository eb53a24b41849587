"""Prices, earnings, wallets, payouts and payments, in minor units throughout."""
