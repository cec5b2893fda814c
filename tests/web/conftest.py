from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from bot.settings import Settings
from bot.web.app import create_app

from .stub import StubAssistant, stub_assistant


@pytest.fixture(scope="session")
def assistant() -> StubAssistant:
    return stub_assistant(Settings())


def build(assistant: StubAssistant, folder: Path, **changes: object) -> TestClient:
    settings = Settings(index_dir=folder, **{"rate_limit": 0, **changes})  # type: ignore[arg-type]
    return TestClient(create_app(settings, assistant), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def client(assistant: StubAssistant, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """One app for all tests that change nothing; making it takes most of a second."""
    return build(assistant, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def make_client(assistant: StubAssistant, tmp_path: Path) -> Callable[..., TestClient]:
    return lambda **changes: build(assistant, tmp_path, **changes)
