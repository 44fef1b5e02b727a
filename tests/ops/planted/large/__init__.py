"""What a careful release does to large tables, with people at work."""
