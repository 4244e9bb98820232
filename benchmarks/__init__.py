"""Measurements of speed: what the project promises, held against PyTorch, against growth and against the clock."""
