"""The report that people read: ``report.html``, ``report.md`` with ``figures/``, and ``report.json`` for programs."""

from rllib_citylearn.evaluation.report.writing import check_report_folder, write_report

__all__ = ["check_report_folder", "write_report"]
