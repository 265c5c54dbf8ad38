"""Analyses: plain functions from a graph to a report."""
