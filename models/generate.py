#!/usr/bin/env python3
"""Writes training text to standard output, documents parted by an empty line."""

import argparse
import itertools
import sys

from tasks import TASKS


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=TASKS, default="stories")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stories", type=int, default=10, metavar="N", help="how many documents to write")
    parser.add_argument("--split", choices=("train", "held-out"), default="train")
    options = parser.parse_args()
    documents = TASKS[options.task](options.seed, options.split)
    for text in itertools.islice(documents, options.stories):
        sys.stdout.write(text + "\n\n")


if __name__ == "__main__":
    main()
