"""`python -m chaosjax`, the same as the program `chaosjax`."""

from chaosjax._cli import main

if __name__ == "__main__":
    main()
