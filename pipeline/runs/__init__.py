"""A run over many documents: what to do, doing it, what came of it."""
