"""What training with a number of runners comes to, and what it takes of the driver and the network."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass
from typing import Any

from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.execution.rollout_ops import synchronous_parallel_sample
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, WEIGHTS_SEQ_NO

from rllib_citylearn.algorithm.maddpg import CooperativeMADDPG
from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.stopwatch import Stopwatch
from rllib_citylearn.cluster.cpu_time import CpuMeter

_MOST_SAMPLES = 20
"""Of each runner, that warm up and are weighed; fewer where an episode ends, and the next begins, within fewer."""


@dataclass(frozen=True)
class ScalingCase:
    """Training with so many runners.

    Attributes:
        runners: processes that sample; with 0 the driver plays itself, and nothing travels.
        runner_nodes: nodes that they are on.
        env_steps_per_s: sampled and written into the replay while nobody learns, by all runners together.
        train_env_steps_per_s: of training as a whole, with the updates that the preset wants for them.
        updates_per_s: gradient steps, of training as a whole.
        learning_share: of a round's time, in which the driver waits for the learner, 0 to 1.
        driver_us_per_step: microseconds of the driver's process on the CPU (all threads, no children) for an environment
            step: asking for samples, receiving and unpacking them and their metrics, writing rows. With 0 runners also
            playing.
        add_us_per_step: of these, writing rows into the replay.
        sync_ms_per_round: milliseconds of the same for sending weights to the runners, once a round.
        bytes_per_step: of what a runner returns, metrics included, as Ray serialises it.
        weight_bytes_per_round: of the weights that a runner gets after a round; runners on one node share a copy.
        cores_busy: CPU seconds of all of Ray's processes and the driver for a second of sampling.
        train_cores_busy: the same for a second of training.
    """

    runners: int
    runner_nodes: int
    env_steps_per_s: float
    train_env_steps_per_s: float
    updates_per_s: float
    learning_share: float
    driver_us_per_step: float
    add_us_per_step: float
    sync_ms_per_round: float
    bytes_per_step: float
    weight_bytes_per_round: int
    cores_busy: float
    train_cores_busy: float


def measure_case(preset: Preset, seconds: float, threads: int) -> ScalingCase:
    """Build the preset's algorithm, measure it sampling and training, and stop it.

    Args:
        preset: the run; the data are at hand and nothing is validated.
        seconds: time for sampling and for training each, after their warm-up; a round is always brought to its end.
        threads: of torch in this process, 0 leaves them as they are. Ray gives a task one.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    algorithm = preset.config().build_algo()
    try:
        meter = CpuMeter()
        try:
            samples = _samples(preset)
            sampling = _sampling(algorithm, meter, seconds, samples)
            sent, on_nodes = _sent(algorithm, samples)
            training = _training(algorithm, meter, seconds)
        finally:
            meter.close()
        return ScalingCase(
            runners=preset.runners.num_env_runners,
            runner_nodes=on_nodes,
            bytes_per_step=sent,
            weight_bytes_per_round=_weight_bytes(algorithm) if preset.runners.num_env_runners else 0,
            **sampling,
            **training,
        )
    finally:
        algorithm.stop()


def _sampling(algorithm: CooperativeMADDPG, meter: CpuMeter, seconds: float, warm_up: int) -> dict[str, float]:
    """Rounds of ``training_step`` less its learning, after some that compile and, if there is time, fill the replay.

    Rows that are written for the first time cost several times as much as later ones, for the pages that they take.
    """
    receive, add = Stopwatch(_received), Stopwatch(algorithm.replay.add)
    begun = time.perf_counter()
    while receive.calls < warm_up or (
        algorithm.replay.added < algorithm.replay.capacity and time.perf_counter() - begun < seconds
    ):
        add(receive(algorithm))
    receive.reset()
    add.reset()
    steps, used, begun = 0, meter.seconds(), time.perf_counter()
    while not steps or time.perf_counter() - begun < seconds:
        steps += add(receive(algorithm))
    wall = time.perf_counter() - begun
    return {
        "env_steps_per_s": steps / wall,
        "driver_us_per_step": 1e6 * (receive.cpu_seconds + add.cpu_seconds) / steps,
        "add_us_per_step": 1e6 * add.cpu_seconds / steps,
        "cores_busy": (meter.seconds() - used) / wall,
    }


def _received(algorithm: CooperativeMADDPG) -> Any:
    """A fragment of every runner, as ``training_step`` asks for them."""
    samples, results = synchronous_parallel_sample(
        worker_set=algorithm.env_runner_group,
        concat=True,
        sample_timeout_s=algorithm.config.sample_timeout_s,
        _uses_new_env_runners=True,
        _return_metrics=True,
    )
    algorithm.metrics.aggregate(results, key=ENV_RUNNER_RESULTS)
    return samples


def _training(algorithm: CooperativeMADDPG, meter: CpuMeter, seconds: float) -> dict[str, float]:
    """Whole rounds, from the first one on that begins with compiled code."""
    while not algorithm.train()["updates"]:
        pass
    learn, sync = Stopwatch(algorithm._learn), Stopwatch(algorithm.env_runner_group.sync_weights)
    algorithm._learn, algorithm.env_runner_group.sync_weights = learn, sync  # type: ignore[method-assign]
    steps, updates = algorithm.replay.added, algorithm._updates
    used, begun = meter.seconds(), time.perf_counter()
    while not learn.calls or time.perf_counter() - begun < seconds:
        algorithm.train()
    wall = time.perf_counter() - begun
    return {
        "train_env_steps_per_s": (algorithm.replay.added - steps) / wall,
        "updates_per_s": (algorithm._updates - updates) / wall,
        "learning_share": learn.seconds / wall,
        "sync_ms_per_round": 1e3 * sync.cpu_seconds / sync.calls,
        "train_cores_busy": (meter.seconds() - used) / wall,
    }


def _samples(preset: Preset) -> int:
    """Of a runner in which an episode ends and the next begins, or as many as are worth waiting for."""
    if preset.environment.episode_steps is None:
        return _MOST_SAMPLES
    return min(_MOST_SAMPLES, math.ceil(preset.environment.episode_steps / preset.runners.rollout_fragment_length) + 1)


def _sent(algorithm: CooperativeMADDPG, samples: int) -> tuple[float, int]:
    """Bytes for an environment step that runners return, and from how many nodes.

    They say it themselves, since arrays that have travelled may be packed otherwise.
    """
    weigh = functools.partial(weighed, samples=samples)
    answers = algorithm.env_runner_group.foreach_env_runner(weigh, local_env_runner=False)
    if not answers:
        return 0.0, 0
    steps, sent, nodes = zip(*answers, strict=True)
    return sum(sent) / sum(steps), len(set(nodes))


def weighed(runner: EnvRunner, samples: int) -> tuple[int, int, str]:
    """Environment steps of so many samples of a runner, the bytes that Ray would send for them, and the runner's node."""
    import ray

    steps = sent = 0
    for _ in range(samples):
        fragments, metrics = runner.sample(), runner.get_metrics()
        steps += sum(fragment.env_steps() for fragment in fragments)
        sent += _serialised_bytes((fragments, metrics))
    return steps, sent, ray.get_runtime_context().get_node_id()


def _weight_bytes(algorithm: CooperativeMADDPG) -> int:
    """Of what ``sync_weights`` puts into the object store for the runners."""
    modules = f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}/{COMMUNITY}"
    state = algorithm.learner_group.get_state(components=[modules], inference_only=True)[COMPONENT_LEARNER]
    return _serialised_bytes({name: state[name] for name in (COMPONENT_RL_MODULE, WEIGHTS_SEQ_NO)})


def _serialised_bytes(content: Any) -> int:
    """Bytes of an object in Ray's object store, with which it travels between nodes."""
    import ray

    context = ray._private.worker.global_worker.get_serialization_context()
    total: int = context.serialize(content).total_bytes
    return total
