"""One API server for all tests, and a namespace for each."""

import itertools
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from cluster import CACHE, Cluster, Namespace, chart_for, missing  # noqa: E402

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    if missing():
        pytest.skip(f"{CACHE}/bin lacks {', '.join(missing())}: run helm/tests/cluster/build")
    running = None
    try:
        running = Cluster(tmp_path_factory.mktemp("cluster"))
        yield running
    finally:
        if running:
            running.stop()


@pytest.fixture(scope="session")
def chart(tmp_path_factory):
    return chart_for(tmp_path_factory.mktemp("chart"))


@pytest.fixture
def namespace(cluster, chart):
    return Namespace(cluster, f"test-{next(NUMBERS)}", chart)
