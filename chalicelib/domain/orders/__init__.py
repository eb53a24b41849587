"""Orders: flows, the lifecycle that advances them, commands, chats, and whom to ask next."""
