"""No way back leads from it, and on the live database it fails."""
