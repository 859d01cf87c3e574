"""CityLearn's own download, asked for quickly and trusted only after checks.

As it comes, it retries for half a minute without a network, waits without limit for a server that has gone quiet, writes
error pages into CSV files, and leaves half a data set behind when interrupted. Here it gives up within seconds, treats an
error page as an error, and writes into a folder of its own that is kept only when it is whole.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from rllib_citylearn.root_logger import root_logger_kept

_RESOLVE_SECONDS = 3.0
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 8.0


class DownloadUnavailableError(Exception):
    """CityLearn's download could not deliver; another source may."""


def download(name: str, folder: Path) -> Path:
    """Download a data set with CityLearn.

    Args:
        name: the data set's name.
        folder: an empty folder to write into.

    Returns:
        The folder within it that holds the data set.

    Raises:
        DownloadUnavailableError: CityLearn is not installed or its server is not reachable or does not have the set.
    """
    with root_logger_kept():
        try:
            from citylearn.data import DataSet

            store = _bounded(DataSet, folder)
        except ImportError as error:
            raise DownloadUnavailableError(f"CityLearn is not installed ({error})") from error
        host = urllib.parse.urlsplit(store.GITHUB_API_CONTENT_URL).hostname or ""
        if not _resolvable(_first_host(host)):
            raise DownloadUnavailableError(f"{host} is not reachable")
        try:
            return Path(store.get_dataset(name)).parent
        except Exception as error:
            # CityLearn raises plain Exception for an answer it does not like, requests and the file system their own.
            raise DownloadUnavailableError(_one_line(error)) from error


def version() -> str:
    """The version whose repository CityLearn downloads from, as recorded with a run."""
    with root_logger_kept():
        from citylearn.data import DataSet
    # The tag can be set in the environment; it names the data better than CityLearn's own version does.
    return f"citylearn {DataSet.REPOSITORY_TAG.removeprefix('v')}"


def is_switched_off() -> bool:
    """Whether the user asked CityLearn to stay offline (``CITYLEARN_OFFLINE``)."""
    return os.environ.get("CITYLEARN_OFFLINE", "").strip().lower() in {"1", "true", "yes", "y", "on", "t"}


def _bounded(data_set: Any, folder: Path) -> Any:
    """CityLearn's ``DataSet`` with sessions that give up, and with ``folder`` for its cache."""
    import requests
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        """Gives every request a time limit; CityLearn sets none."""

        def send(self, *args: Any, **options: Any) -> requests.Response:
            options["timeout"] = (_CONNECT_SECONDS, _READ_SECONDS)
            return super().send(*args, **options)

    class BoundedDataSet(data_set):
        """CityLearn's store: no other folders, no retries, no silent error pages."""

        cache_directory = str(folder)
        local_datasets_directories: tuple[str, ...] = ()

        @staticmethod
        def get_requests_session(**_: Any) -> requests.Session:
            session = requests.Session()
            for scheme in ("http://", "https://"):
                session.mount(scheme, Adapter(max_retries=0))
            session.hooks["response"].append(_refuse_errors)
            return session

    return BoundedDataSet(logging_level=logging.WARNING)


def _refuse_errors(response: Any, **_: Any) -> None:
    response.raise_for_status()


def _first_host(host: str) -> str:
    """The host that a request to ``host`` connects to: itself, or the user's proxy."""
    proxy = None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get("https")
    return (urllib.parse.urlsplit(proxy).hostname or host) if proxy else host


def _resolvable(host: str) -> bool:
    """Whether the name server knows ``host``, within seconds.

    Looking a name up has no time limit of its own, and without a network it can take half a minute: it is left behind in
    a thread that does not keep the process alive.
    """
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
        except OSError:
            answers.put(False)
        else:
            answers.put(True)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        return answers.get(timeout=_RESOLVE_SECONDS)
    except queue.Empty:
        return False


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
