"""The web pages: Gradio and nothing else.

A page is a layout, then its events, then presentation. Handlers parse, act and present; what they show is read through
`core.store` and what they change goes through `core.jobs`. Completions, names and logs are other people's text: they
are escaped in `present` and never rendered as Markdown.
"""
