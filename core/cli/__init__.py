"""The command line, a file a noun: a command parses, calls what the pages call, and prints."""
