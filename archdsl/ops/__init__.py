"""The ops: one file each, or a few that are close."""
