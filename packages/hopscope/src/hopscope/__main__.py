"""`python -m hopscope` is the command line."""

from hopscope.cli import main

if __name__ == "__main__":
    main()
