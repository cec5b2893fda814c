"""Whatever is sent to the API, it answers without a server error."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from bot.settings import Settings
from bot.web.app import create_app

from .stub import stub_assistant

schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(Settings(rate_limit=0), stub_assistant(Settings())))


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_server_error(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=[not_a_server_error])
