"""All checks of a data set."""

from __future__ import annotations

from pathlib import Path

from rllib_citylearn.datasets.checks.appliances import check_appliances
from rllib_citylearn.datasets.checks.calendar import check_calendars
from rllib_citylearn.datasets.checks.dataset import Dataset
from rllib_citylearn.datasets.checks.devices import check_devices
from rllib_citylearn.datasets.checks.finding import Finding, Findings
from rllib_citylearn.datasets.checks.names import check_names
from rllib_citylearn.datasets.checks.series import check_series
from rllib_citylearn.datasets.checks.structure import check_files, check_structure
from rllib_citylearn.datasets.checks.units import check_units
from rllib_citylearn.datasets.checks.vehicles import check_vehicles
from rllib_citylearn.datasets.schema import check_schema_version, read_description
from rllib_citylearn.errors import DatasetError


def check_dataset(folder: str | Path) -> list[Finding]:
    """Everything that would spoil a run on a data set, or is odd about it.

    Neither CityLearn nor anything that computes is imported, and nothing is written. What is beyond the schema's span of
    time steps is not looked at, nor are excluded buildings: a run does not see them.

    Args:
        folder: the data set's, with ``schema.json``.

    Returns:
        Findings, errors first. A schema that can't be read, or is in CityLearn 2.x's format, is the only finding then.
    """
    findings = Findings()
    data = open_dataset(Path(folder), findings)
    if data is not None:
        for check in (
            *(check_files, check_names, check_series, check_calendars, check_units),
            *(check_devices, check_vehicles, check_appliances),
        ):
            check(data)
    return findings.sorted()


def structural_errors(folder: str | Path) -> list[Finding]:
    """The errors of ``check_dataset`` in the schema: its entries, the files it names, names and devices.

    Args:
        folder: the data set's, with ``schema.json``.
    """
    findings = Findings()
    data = open_dataset(Path(folder), findings)
    if data is not None:
        check_files(data)
        check_names(data)
        check_devices(data)
    return [finding for finding in findings.sorted() if finding.level == "error"]


def open_dataset(folder: Path, findings: Findings) -> Dataset | None:
    """A data set whose schema can be relied on; None if it can't, which is among the findings then."""
    try:
        description = read_description(folder)
    except DatasetError as error:
        findings.add("no-schema", str(error))
        return None
    check_structure(description, findings)
    if findings.has_errors():
        return None
    try:
        check_schema_version(description)
    except DatasetError as error:
        findings.add("old-format", str(error))
        return None
    return Dataset(folder, description, findings)
