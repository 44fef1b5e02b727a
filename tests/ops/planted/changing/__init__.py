"""It changes a column of before, and does not say so."""
