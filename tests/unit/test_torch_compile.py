"""Options of RLlib that would do nothing are refused."""

from __future__ import annotations

import pytest

from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
from rllib_citylearn.errors import ConfigError


def test_rllibs_compiled_learner_is_refused():
    config = CooperativeMADDPGConfig()
    config.validate()
    with pytest.raises(ConfigError, match="torch_compile_learner is True"):
        config.framework(torch_compile_learner=True).validate()
