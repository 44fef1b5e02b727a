"""It ends the process that it runs in."""
