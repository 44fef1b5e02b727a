"""What works on every copy, and fails at 60 % of its rows on the live database."""
