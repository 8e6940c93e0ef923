"""What the model is taught. A task is a generator of documents: (seed, split) to an endless stream of texts."""

from . import stories

TASKS = {"stories": stories.generate}
