"""What the pages work with, built once and passed in."""

from dataclasses import dataclass

from core.catalogue import Catalogue, load_catalogue
from core.jobs import Supervisor
from core.settings import Settings
from core.store import Database, open_database


@dataclass(frozen=True)
class Services:
    """read_only: no handler that changes anything is registered."""

    settings: Settings
    database: Database
    catalogue: Catalogue
    supervisor: Supervisor
    read_only: bool = False

    def close(self) -> None:
        self.supervisor.close()
        self.database.close()


def open_services(settings: Settings, read_only: bool = False) -> Services:
    database = open_database(settings.database_url)
    return Services(settings, database, load_catalogue(), Supervisor(database, settings), read_only)
