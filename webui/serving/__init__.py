"""What the web server sends besides Gradio's own: a page's first content, assets, exports."""
