"""Sizes, tensors of named axes, and the graph."""
