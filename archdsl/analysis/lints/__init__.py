"""Warnings: what is legal and probably not meant, found in names, layers and models."""
