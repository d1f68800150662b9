"""``python -m samrs`` is the command ``samrs``."""

from __future__ import annotations

from samrs.commands.group import main

if __name__ == "__main__":
    main()
