"""Pages through the network: tiles, scale, precision, colour, checkpoints."""
