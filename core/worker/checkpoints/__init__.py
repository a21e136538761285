"""A run's state on disk, complete or not there at all: its files, which are kept, the trainer's part."""
