"""The version of archdsl, where every part can ask for it."""

VERSION = "0.1.0"
