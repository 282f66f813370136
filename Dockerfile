# The image runs `interchange serve` as an ordinary user. Data lives in the volume /var/lib/interchange.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/interchange
ENV PATH=/opt/interchange/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/runtime.lock requirements/build.lock requirements/
RUN pip install --quiet --require-hashes -r requirements/runtime.lock
COPY pyproject.toml README.md ./
COPY domain domain
COPY application application
COPY adapters adapters
COPY contracts contracts
COPY entrypoints entrypoints
RUN python -m entrypoints.jobs.ui_libraries --required --root /tmp/ui \
 && rm -rf /tmp/ui
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --quiet --require-hashes -r requirements/build.lock \
 && /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip install --quiet --no-deps /wheels/interchange-*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/interchange --create-home interchange
COPY --from=build /opt/interchange /opt/interchange
ENV PATH=/opt/interchange/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8080 \
    INTERCHANGE_DATA_DIR=/var/lib/interchange \
    INTERCHANGE_PORTKEY=off
USER interchange
WORKDIR /var/lib/interchange
VOLUME /var/lib/interchange
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health/live\", timeout=2)"]
ENTRYPOINT ["interchange"]
CMD ["serve"]
