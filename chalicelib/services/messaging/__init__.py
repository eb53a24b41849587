"""Who is connected, and how an event reaches them: relay, mailboxes, posting, fan-out."""
