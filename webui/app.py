"""The pages put together, and how they are served."""

import sys
from collections.abc import Mapping
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from webui.components.live import ASSETS
from webui.language import LANGUAGES
from webui.navigation import PAGES, links
from webui.pages.frame import frame
from webui.services import Services
from webui.serving.export_route import export_route
from webui.serving.first_paint import FirstContent, own_routes
from webui.serving.gradio_assets import assets_routes
from webui.serving.task_route import task_route
from webui.theme import STYLES, grouper_theme
from webui.upstream.gradio import kinds_of, serve_until_interrupted


def create_app(services: Services) -> gr.Blocks:
    """Every page of `webui.navigation` at its own address, each with the navigation beside it."""
    app: gr.Blocks = gr.Blocks(title="Grouper", fill_width=True, analytics_enabled=False)
    for page in PAGES:
        with app.route(page.title, f"/{page.address}", show_in_navbar=False) if page.address else app:
            frame(links(page))
            page.module.build(app, services)
    return app


def launch_arguments(services: Services, kinds: Mapping[str, frozenset[str]] | None = None) -> dict[str, Any]:
    """How `create_app`'s result is served: our own look, nothing kept in the browser, no framework strip. `kinds`: see
    `kinds_of`."""
    firsts = {page.address: page.first for page in PAGES}
    at_once = Middleware(FirstContent, services=services, firsts=firsts, kinds=kinds or {})
    routes = [services.shared.route(), export_route(services), task_route(services), *assets_routes(), *own_routes()]
    return {
        "server_name": services.settings.host,
        "server_port": services.settings.port,
        "theme": grouper_theme(),
        "css_paths": [ASSETS / "styles" / f"{name}.css" for name in STYLES],
        "favicon_path": ASSETS / "favicon.svg",
        "footer_links": [],
        "i18n": LANGUAGES,
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
        "share": False,
        "enable_monitoring": False,
        "app_kwargs": {"routes": routes, "middleware": [at_once]},
    }


def serve(services: Services, **changes: Any) -> None:
    """Serves until interrupted. Runs go on without the page; the supervisor only starts and watches them."""
    if not services.read_only:
        services.supervisor.start()
    try:
        app = create_app(services)
        arguments = launch_arguments(services, kinds_of(app)) | changes
        _, address, _ = app.launch(**arguments, prevent_thread_lock=True, quiet=True)
        sys.stderr.write(f"Grouper is at {address}\n")
        serve_until_interrupted(app)
    finally:
        services.close()
