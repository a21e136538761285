"""Reusable pieces of a page: each turns records into HTML, or makes the Gradio component that shows it."""
