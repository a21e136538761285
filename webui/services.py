"""What the pages work with, built once and passed in."""

from dataclasses import dataclass

from core.catalogue import Catalogue, load_catalogue
from core.jobs.supervisor import Supervisor
from core.settings import Settings
from core.store import Database, open_database
from webui.live_cache import LiveCache


@dataclass(frozen=True)
class Services:
    """What every page is given."""

    settings: Settings
    database: Database
    catalogue: Catalogue
    supervisor: Supervisor
    shared: LiveCache

    @property
    def read_only(self) -> bool:
        """No handler that changes anything is registered."""
        return self.settings.read_only

    def close(self) -> None:
        self.supervisor.close()
        self.database.close()


def open_services(settings: Settings) -> Services:
    database = open_database(settings.database_url)
    return Services(settings, database, load_catalogue(), Supervisor(database, settings), LiveCache(database, settings))
