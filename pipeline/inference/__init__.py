"""A network at work on tiles: batches, memory, device and precision, checkpoints."""
