"""How good a cleaner is, where the clean original or the text is known."""
