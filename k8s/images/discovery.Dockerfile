# The discovery sidecar: Python's standard library and gardenos.discovery, nothing else.
# From the root of the checkout: docker build -f k8s/images/discovery.Dockerfile -t REGISTRY/discovery:0.1.0 .
FROM docker.io/library/python:3.13-slim-trixie AS build
COPY pyproject.toml README.md /src/
COPY gardenos /src/gardenos
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /src

FROM docker.io/library/python:3.13-slim-trixie
COPY --from=build /wheels /wheels
# Without its dependencies: gardenos.discovery imports none.
RUN pip install --no-cache-dir --no-compile --no-deps --no-index /wheels/*.whl && rm -rf /wheels
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
CMD ["python", "-m", "gardenos.discovery"]
