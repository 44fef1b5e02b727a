"""Columns and an index that nothing of before is changed by."""
