"""What a transformer is, and each published algorithm with the weights that run it."""
