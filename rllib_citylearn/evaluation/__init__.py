"""Running controllers on either engine, scoring them with CityLearn's KPIs, and reporting what came out."""

from rllib_citylearn.env.config import ENGINES
from rllib_citylearn.evaluation.business_as_usual import BusinessAsUsual
from rllib_citylearn.evaluation.citylearn_ui import write_citylearn_csv
from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.evaluate import evaluate
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.kpis import CommunityKpis, district_kpis, evaluate_env
from rllib_citylearn.evaluation.report import write_report
from rllib_citylearn.evaluation.rollout import rollout
from rllib_citylearn.evaluation.score import Score, score_kpis, score_trajectory
from rllib_citylearn.evaluation.specs import BaselineSpec, BundleSpec, CheckpointSpec, ControllerSpec, spec_for
from rllib_citylearn.evaluation.table import kpi_table
from rllib_citylearn.evaluation.trajectory import Trajectory

__all__ = [
    "ENGINES",
    "BaselineSpec",
    "BundleSpec",
    "BusinessAsUsual",
    "CheckpointSpec",
    "CommunityKpis",
    "Comparison",
    "ControllerSpec",
    "Evaluation",
    "Score",
    "Trajectory",
    "district_kpis",
    "evaluate",
    "evaluate_env",
    "kpi_table",
    "rollout",
    "score_kpis",
    "score_trajectory",
    "spec_for",
    "write_citylearn_csv",
    "write_report",
]
