"""Elaboration: from the tree of a spec and the ops to graphs."""

from archdsl.build.program import Program, Signature, build, check, read, signature

__all__ = ["Program", "Signature", "build", "check", "read", "signature"]
