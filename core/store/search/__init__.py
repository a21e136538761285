"""Completions among millions: a filter becomes conditions, and a page comes from an index or from columns."""
