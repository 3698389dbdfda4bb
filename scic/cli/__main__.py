"""`python -m scic.cli` is `scic`."""

from scic.cli.main import main

if __name__ == "__main__":
    main()
