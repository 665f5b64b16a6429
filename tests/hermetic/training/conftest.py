"""One trained micro artifact that the folder's tests share; nobody changes it."""

from __future__ import annotations

import pytest
from training_runs import a_train_run, carry_out


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The RunResult of a finished from-scratch run."""
    folder = tmp_path_factory.mktemp("trained")
    return carry_out(a_train_run(folder), folder)
