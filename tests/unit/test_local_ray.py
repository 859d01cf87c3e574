"""A local Ray that does not start is said in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from rllib_citylearn.errors import UserError
from rllib_citylearn.local_ray import start_local_ray


def test_a_ray_that_does_not_start_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def late(**given: Any) -> None:
        asked.update(given)
        raise Exception("The current node timed out during startup.")  # what Ray raises, and as what

    monkeypatch.setattr(ray, "init", late)
    with pytest.raises(UserError, match=r"Ray did not start \(The current node timed out.*half a minute of processor time"):
        start_local_ray(3, 2**20)
    assert (asked["address"], asked["num_cpus"], asked["object_store_memory"]) == ("local", 3, 2**20)
