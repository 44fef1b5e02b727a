"""One server that speaks the APIs of all our providers, with real media, its own books, and their misbehavior."""
