"""What a graph becomes: PyTorch source, pictures."""
