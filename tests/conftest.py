"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rllib_citylearn.local_ray import prepare_environment

# One thread a library: tests share two cores with Ray's workers.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

prepare_environment()  # before any test module imports Ray


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_datasets() -> Path:
    """Folder of CityLearn's official data sets in the current format; they are not part of the repository."""
    folder = SHARED / "datasets"
    if not folder.is_dir():
        pytest.skip("the official data sets are not beside the checkout (../shared/datasets)")
    return folder


@pytest.fixture(scope="session")
def challenge_2022() -> Path:
    """Folder of `citylearn_challenge_2022_phase_all`, 17 buildings: beside the checkout, or fetched as users fetch it."""
    beside = SHARED / "datasets" / "citylearn_challenge_2022_phase_all"
    if beside.is_dir():
        return beside
    from rllib_citylearn.datasets import resolve
    from rllib_citylearn.errors import DatasetError

    try:
        return resolve("citylearn_challenge_2022_phase_all").folder
    except DatasetError as error:
        pytest.skip(f"the 2022 data is neither beside the checkout nor to be fetched: {error}")


@pytest.fixture(scope="session")
def ev_data(shared_datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the official data set with 17 buildings, chargers and vehicles, less its washing machines."""
    from tests.ev_data import without_washing_machines

    return without_washing_machines(shared_datasets, tmp_path_factory.mktemp("evs"))


@pytest.fixture(scope="session")
def appliance_data(shared_datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the official data set with vehicles, whose washing machine is a deferrable appliance."""
    from rllib_citylearn.datasets import upgrade_folder
    from tests.ev_data import NAME

    folder = tmp_path_factory.mktemp("appliances") / NAME
    upgrade_folder(shared_datasets / NAME, folder, random_seed=2022)
    return folder


@pytest.fixture(scope="session")
def archive_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, downloaded once with the machine's own pip."""
    from rllib_citylearn.datasets import archive
    from rllib_citylearn.errors import DatasetError

    try:
        return archive.download_wheel(tmp_path_factory.mktemp("archive"))
    except DatasetError as error:
        if "corrupted" in str(error):
            raise
        pytest.skip(f"pip can't get the archive here: {error}")


@pytest.fixture(scope="session")
def upgraded(archive_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All data sets of the archive that can be upgraded, in folders of their names."""
    from rllib_citylearn.datasets import archive, upgrade_folder
    from rllib_citylearn.datasets.names import ARCHIVE_RANDOM_SEEDS

    root = tmp_path_factory.mktemp("upgraded")
    for name, seed in ARCHIVE_RANDOM_SEEDS.items():
        old = archive.unpack(archive_wheel, name, root / "old" / name)
        upgrade_folder(old, root / name, random_seed=seed)
    return root


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One Ray for all tests that need it."""
    import ray

    ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False, object_store_memory=300 * 2**20)
    yield
    ray.shutdown()
