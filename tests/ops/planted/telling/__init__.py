"""It changes a column of before, and says so."""
