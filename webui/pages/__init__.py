"""One file per page: the layout, then its events, then what they show. `webui.navigation` lists them."""
