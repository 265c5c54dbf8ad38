"""Elaboration: from the tree of a spec and the ops to graphs."""

from archdsl.build.program import Program, build, check, read

__all__ = ["Program", "build", "check", "read"]
