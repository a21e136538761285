"""Everything that is not a web page. Nothing in this package imports Gradio."""

__version__ = "0.2.0"
