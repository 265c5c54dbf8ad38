"""Runs archdsl from a checkout, nothing installed: ``python cli.py check a.arch``."""

from archdsl.cli import main

if __name__ == "__main__":
    main()
