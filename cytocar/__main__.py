"""``python -m cytocar``."""

from cytocar.cli.app import main

if __name__ == "__main__":
    main()
