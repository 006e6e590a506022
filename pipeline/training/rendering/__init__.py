"""Whole pages in colour to learn from: rendered, laid on paper, scanned."""
