"""Pages that training makes: rendered text, and what time and scanners do to it."""
