"""Kinds of number, tasks, strategies, metrics and checks."""
