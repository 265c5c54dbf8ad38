"""Weights: whether a checkpoint fits a model, and how its keys map; without torch.

`plan` holds how: rules times our keys make moves, and moves times the keys of a file
what is missing, surplus and misshapen. `report` is that for people.
"""
