"""Measuring compiled modules as they run; all of it imports torch."""
