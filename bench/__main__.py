"""`python -m bench` is the program `rmapbench`."""

from bench.cli import console

if __name__ == "__main__":
    console()
