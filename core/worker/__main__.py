"""`python -m core.worker RUN_ID`: one run from claim to final status."""

import logging
import sys

from core.errors import GrouperError, StopRequested
from core.processes import identify
from core.records.status import RunStatus
from core.settings import load_settings, set_engine_environment
from core.store import Database, open_database
from core.store.runs import lifecycle, queries
from core.worker.failures import explain
from core.worker.heartbeat import Heartbeat


def main(run_id: str) -> int:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S"
    )
    settings = load_settings()
    database = open_database(settings.database_url)
    with database.writing() as connection:
        if not lifecycle.claim(connection, run_id, identify()):
            logging.warning("Run %s is not waiting for a worker; nothing to do.", run_id)
            return 0
        run = queries.get_run(connection, run_id)
    with Heartbeat(database, run_id) as heartbeat:
        try:
            set_engine_environment(run.config.kv_cache_gib)
            from core.worker.run import train_run  # torch and vllm read the environment set above

            train_run(database, settings, run, heartbeat)
        except StopRequested:
            _stopped(database, run_id)
        except BaseException as error:  # every way out, an interrupt too, leaves a status that explains it
            return _fail(database, run_id, error, heartbeat.phase)
    return 0


def _stopped(database: Database, run_id: str) -> None:
    """Ends a run that was asked to end while it was loading, by the page or by a signal."""
    with database.writing() as connection:
        if queries.get_run(connection, run_id).status is not RunStatus.STOPPING:
            lifecycle.request_stop(connection, run_id, "signal")
        lifecycle.move(connection, run_id, RunStatus.STOPPED, who="worker")


def _fail(database: Database, run_id: str, error: BaseException, phase: str) -> int:
    failure = explain(error, phase)
    logging.error("%s %s", failure.message, failure.remedy, exc_info=error)
    with database.writing() as connection:
        if not queries.get_run(connection, run_id).status.is_final:
            lifecycle.move(connection, run_id, RunStatus.FAILED, failure=failure, who="worker")
    return 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m core.worker RUN_ID")
    try:
        sys.exit(main(sys.argv[1]))
    except GrouperError as problem:
        sys.exit(str(problem))
