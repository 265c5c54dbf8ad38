"""Closed forms: what blocks and ops cost in sizes of their own."""
