# syntax=docker/dockerfile:1
# Built in two stages: the first has PyTorch and makes the index, the second serves it without PyTorch.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY pyproject.toml README.md ./
COPY bot bot
COPY evals/__init__.py evals/__init__.py
# The CPU build of PyTorch; the default one brings gigabytes of GPU libraries.
RUN python -m venv /build && /build/bin/pip install --extra-index-url https://download.pytorch.org/whl/cpu -e ".[build]"
COPY knowledge knowledge
COPY prompts prompts
RUN /build/bin/lantern build
RUN python -m venv /venv && /venv/bin/pip install . && /venv/bin/pip uninstall -y lantern-psychoeducation

FROM python:3.11-slim-bookworm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LANTERN_HOST=0.0.0.0
WORKDIR /app
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin lantern
COPY --from=build /venv /venv
# The program runs from its folder, beside the cards and the notices it shows.
COPY --from=build /app/.lantern .lantern
COPY bot bot
COPY docs/privacy.md docs/policy.md docs/
COPY knowledge knowledge
COPY prompts prompts
# The kill switch is a file beside the index, so the folder belongs to the user that runs the server.
RUN chown -R 10001 .lantern
USER 10001
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=2)"]
CMD ["python", "-m", "bot.cli", "serve"]
