"""An evaluated episode as the CSV files that CityLearn UI, CityLearn's dashboard, opens.

CityLearn's own exporter writes them, from the arrays of an environment that stands at the end of its episode. The fast
engine leaves the same arrays as CityLearn (``simulator.injection``), so the files are the same, whichever simulated.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.business_as_usual import BusinessAsUsual
from rllib_citylearn.evaluation.progress import Report
from rllib_citylearn.files import new_directory

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

_LONGEST_NAME = 200
"""Characters of a policy's folder; file systems allow 255, and its name is longer while it is written."""
_EXPORTED = re.compile(r"exported_(kpis|data_.+)\.csv")


def write_citylearn_csv(
    env: CityLearnEnv,
    folder: Path,
    *,
    business_as_usual: BusinessAsUsual | None = None,
    report: Report | None = None,
) -> Path:
    """Write what CityLearn exports of an episode, which CityLearn UI shows as one simulation of the folder's name.

    The files of a year with 17 buildings take half a minute, and some 36 MB.

    Args:
        env: an environment at the end of its episode, as ``rollout`` leaves it; its state stays as it is.
        folder: where to; there only once it is whole. An earlier export there is replaced.
        business_as_usual: the reference of the KPIs, to be simulated once for several policies; None lets CityLearn step
            it, which takes minutes for a year.
        report: told how far it is.

    Returns:
        The folder.

    Raises:
        ConfigError: the episode is not at its end, a device's name is a path, or the folder can't be written or holds
            something else than an earlier export.
        EngineError: the fast engine can't simulate the reference.
    """
    if not env.terminated:
        raise ConfigError(
            f"CityLearn's files are of whole episodes, but the environment stands at step {env.time_step} of "
            f"{env.time_steps - 1}; run it to its end first, for example with rollout()."
        )
    check_device_names(env)
    tell = report or _say_nothing
    if business_as_usual is not None:
        business_as_usual.hand_to(env, tell)
    _check_replaceable(folder)
    try:
        with new_directory(folder) as unfinished:
            with _writing_to(env, unfinished):
                _export(env, tell)
            _name_as_first_episode(unfinished, int(env.episode_tracker.episode))
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def policy_folders(policies: Sequence[str]) -> list[str]:
    """A folder's name for each policy, of its name's letters, digits, dots and dashes, and different for all.

    A policy that is known by its path, as ``runs/quick/bundle``, becomes ``runs_quick_bundle``.
    """
    folders: list[str] = []
    taken: set[str] = set()
    for policy in policies:
        plain = re.sub(r"[^A-Za-z0-9.-]+", "_", policy).strip("_.")[-_LONGEST_NAME:].lstrip("_.") or "policy"
        name, number = plain, 1
        while name.lower() in taken:  # some file systems don't tell capitals from small letters
            number += 1
            name = f"{plain}_{number}"
        taken.add(name.lower())
        folders.append(name)
    return folders


def check_ui_folder(folder: Path, policies: Sequence[str]) -> None:
    """Refuse, before anything is simulated, a place where the files of these policies can't be written.

    Raises:
        ConfigError: it is a file, can't be written, or holds something else under a policy's name.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"{folder} is a file; give a folder for CityLearn's CSV files.")
        # Folders that are missing are made with the files; whether they can be is seen at the first that is there.
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryDirectory(dir=there):
            pass
        for name in policy_folders(policies):
            _check_replaceable(folder / name)
    except OSError as error:
        raise _unwritable(folder, error) from error


def check_device_names(env: CityLearnEnv) -> None:
    """Refuse names after which CityLearn would write its files elsewhere.

    Raises:
        ConfigError: the name of a building, charger or vehicle is a path.
    """
    names = [building.name for building in env.buildings]
    names += [charger.charger_id for building in env.buildings for charger in building.electric_vehicle_chargers or []]
    names += [vehicle.name for vehicle in env.electric_vehicles]
    for name in names:
        if Path(str(name)).name != str(name):
            raise ConfigError(f"CityLearn names its files after {name!r}, which is a path; rename it in the data set.")


def _check_replaceable(folder: Path) -> None:
    """Refuse to replace what no export has written."""
    if not folder.exists():
        return
    other = folder
    if folder.is_dir():
        others = sorted(path for path in folder.iterdir() if not _EXPORTED.fullmatch(path.name))
        if not others:
            return
        other = others[0]
    raise ConfigError(
        f"CityLearn's CSV files would replace {folder}, but {other} is none of them; give another folder or move it away."
    )


@contextmanager
def _writing_to(env: CityLearnEnv, folder: Path) -> Iterator[None]:
    """Have CityLearn export to ``folder`` instead of its package's surroundings, and as CSV whatever the schema says."""
    settings = {"render_output_root": folder, "render_session_name": ".", "render_file_format": "csv"}
    kept = {name: getattr(env, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(env, name, value)
        yield
    finally:
        for name, value in kept.items():
            setattr(env, name, value)


def _export(env: CityLearnEnv, report: Report) -> None:
    from citylearn.exporter import EpisodeExporter

    hours = int(env.time_steps) - 1

    class Exporter(EpisodeExporter):
        """Tells how far it is: CityLearn asks for a time stamp once an hour."""

        def get_iso_timestamp(self) -> Any:
            report(int(env.time_step), hours, "CSV files")
            return super().get_iso_timestamp()

    exporter = Exporter(env)
    exporter.export_episode_render_data(hours - 1)
    report(0, 0, "CSV of KPIs")
    exporter.export_final_kpis()


def _name_as_first_episode(folder: Path, episode: int) -> None:
    """Give the files the number that a single episode has in CityLearn; the fast engine resets once more."""
    ending = f"_ep{episode}.csv"
    for path in list(folder.iterdir()):
        if path.name.endswith(ending):
            path.rename(folder / f"{path.name.removesuffix(ending)}_ep0.csv")


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    reason = error.strerror or error
    return ConfigError(f"CityLearn's CSV files can't be written to {folder} ({reason}); give a folder that can.")


def _say_nothing(step: int, total: int, stage: str = "") -> None:
    """Nobody watches."""
