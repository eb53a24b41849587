"""Contract of spec 002: food orders, over Socket.IO and as plain JSON."""
