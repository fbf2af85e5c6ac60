"""``python -m genrescope``."""

from genrescope.cli import main

if __name__ == "__main__":
    main()
