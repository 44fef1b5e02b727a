"""It fails at 60 % of its rows."""
