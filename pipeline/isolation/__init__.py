"""Documents opened in processes of their own, so that a hostile one costs itself alone."""
