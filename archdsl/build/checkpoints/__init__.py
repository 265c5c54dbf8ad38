"""Checkpoints: from the items of a file to rules of how keys map.

A rule says where the keys of a checkpoint stand in the compiled module. Numbers are
captured on our side, whose keys are known, and the keys of theirs computed from them:
so nothing is ever solved for.
"""
