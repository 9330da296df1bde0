"""`python -m servers` is `salambot`."""

from servers.cli import main

if __name__ == "__main__":
    main()
