"""How the autoencoder learns: clean pages, what makes them dirty, and the training loop."""
