"""A run as one HTML file to look at: its numbers, and its doubtful pages in pictures."""
