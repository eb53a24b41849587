"""What Waybill does: load, decide, commit, tell. Knows protocols, never tables or wire words."""
