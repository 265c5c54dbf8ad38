"""What only a run can tell: these import torch and run the compiled model.

Each file measures one thing of a graph and gives plain Python back: frozen records of
numbers, names and tuples. `trial.py` holds what they share.
"""
