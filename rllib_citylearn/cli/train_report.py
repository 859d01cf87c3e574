"""What ``train`` does once training has ended: export the policy, judge it, report."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.preset import Preset
    from rllib_citylearn.algorithm.training import TrainingResult
    from rllib_citylearn.datasets.source import DatasetSource


def facts_of(result: TrainingResult, preset: Preset) -> dict[str, Any]:
    """What a report says of the training behind its policy, JSON-ready."""
    progress = result.progress
    facts = {
        "seed": preset.seed,
        "env_steps": progress.env_steps,
        "updates": progress.updates,
        "validation_score": None if progress.best is None else progress.best.score,
        "validation_objective": None if progress.best is None else progress.best.objective,
        "updates_of_the_policy": result.policy_updates,
        "chosen": _chosen(result),
        "minutes": round(progress.seconds / 60.0, 2),
        "ended": result.ended,
        "interrupted": result.interrupted,
        "engine": preset.environment.engine,
        "judged": (
            f"on the buildings it was trained on; trained and validated on {_steps(preset.environment.window)}, "
            f"judged on {_steps(preset.report.window)}"
        ),
        "preset": preset.to_dict(),
    }
    if progress.best_held_out is not None:
        facts["held_out_score"] = progress.best_held_out.score
        facts["held_out_updates"] = progress.best_held_out.updates
    return facts | ({"fault": result.fault} if result.fault is not None else {})


def _chosen(result: TrainingResult) -> str:
    """Which policy was chosen by what, in words."""
    if result.progress.best is None:
        return "the last policy, since the run had no validation"
    sentence = "the policy with the lowest validation objective, on buildings that it was trained on"
    if result.progress.best_held_out is not None:
        sentence += "; scores on held-out buildings chose nothing but what lies in best-held-out"
    return sentence


def _steps(window: tuple[int, int] | None) -> str:
    return "all time steps" if window is None else f"time steps {window[0]} to {window[1]}"


def report_run(
    result: TrainingResult, preset: Preset, local: Preset, source: DatasetSource, command: str, shown: Mapping[str, Any]
) -> None:
    """Export the run's policy, judge it beside the preset's baselines, and write and print what came of it.

    Args:
        result: the run.
        preset: as the user wrote it.
        local: the same, with the folder of the data in place of its name.
        source: the data.
        command: the command line that repeats the run.
        shown: JSON-ready description of the data.
    """
    from rllib_citylearn.env.building import Site
    from rllib_citylearn.evaluation import BaselineSpec, BundleSpec, Comparison, evaluate, kpi_table, write_report
    from rllib_citylearn.export import export_checkpoint, read_bundle, write_bundle

    _say_what_was_best(result)
    print("Exporting the policy ...", flush=True)
    folder, bundle = result.folder, result.folder / "bundle"
    export_checkpoint(result.best, bundle, name=folder.name)
    print(f"Judging it and {', '.join(preset.report.baselines)} by CityLearn's evaluate() ...", flush=True)
    evaluations = evaluate(
        [BundleSpec(str(bundle), "policy"), *(BaselineSpec(name) for name in preset.report.baselines)],
        source.folder,
        buildings=Site.of(local.environment.each()[0]).buildings,
        window=preset.report.window,
        seed=preset.environment.random_seed,
        engine=preset.environment.engine,
        processes=preset.report.processes,
        data=shown,
        progress=sys.stderr,
        trajectories=False,
    )
    judged = read_bundle(bundle)
    policy = evaluations[0]
    kpis = {"score": policy.score.score, "index5": policy.score.index5, **policy.kpis}
    write_bundle(bundle, manifest=replace(judged.manifest, kpis=kpis), models=judged.models)
    others = ", and on other communities too" if len(preset.environment.each()) > 1 else ""
    note = f"The policy was trained on these buildings{others}."
    write_report(
        folder,
        Comparison.of(evaluations, note=note),
        command=command,
        data=shown,
        training=facts_of(result, preset),
        progress_csv=folder / "progress.csv",
    )
    print(kpi_table(evaluations))
    print("Everything is over the same community without control; lower is better.")
    print(f"{note}\n")
    _print_files(result)


def _say_what_was_best(result: TrainingResult) -> None:
    best, held_out = result.progress.best, result.progress.best_held_out
    if best is not None:
        served = f" (objective {best.objective:.4f}, with what people lacked)" if best.objective != best.score else ""
        print(f"Best on the validation weeks: {best.score:.4f}{served}, after {best.updates:,} updates.")
        if not best.updates:
            print("No update beat the policy that training starts from; that one is kept.")
    if held_out is not None:
        print(
            f"Best on the held-out buildings: {held_out.score:.4f}, after {held_out.updates:,} updates; kept apart, "
            "it chose nothing."
        )


def _print_files(result: TrainingResult) -> None:
    held_out = () if result.best_held_out is None else (("held-out", result.best_held_out.name),)
    for what, name in (
        ("report", "report.html"),
        ("text", "report.md"),
        ("numbers", "report.json"),
        ("pictures", "figures"),
        ("checkpoint", result.best.name),
        *held_out,
        ("bundle", "bundle"),
        ("progress", "progress.csv"),
    ):
        print(f"{what:<11}{result.folder / name}")
