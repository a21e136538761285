"""Every name of other projects that they have not promised to keep: private methods, internal modules, fields of
records. One file or folder a project; each name stands in its list of shims with why, what is known to work, where it
comes from and when it can go. `expected` compares them with what is installed before anything is loaded."""
