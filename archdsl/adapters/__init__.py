"""Compiled models where other libraries look for theirs: timm, transformers.

Each module needs the package that it is called after, and is imported by whoever has
it; nothing else of archdsl imports them.
"""
