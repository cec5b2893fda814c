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


@pytest.fixture()
def make_client(assistant: StubAssistant, tmp_path: Path) -> Callable[..., TestClient]:
    def make(**changes: object) -> TestClient:
        settings = Settings(index_dir=tmp_path, **{"rate_limit": 0, **changes})  # type: ignore[arg-type]
        return TestClient(create_app(settings, assistant), raise_server_exceptions=False)

    return make


@pytest.fixture()
def client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client()
