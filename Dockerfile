# The image that the chart in helm/ runs:
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag registry.example.com/data/datacloud-consumer:0.1.0 .
#
# The digest is that of the official image's index, as its publisher lists it (docker-library/repo-info). A newer one
# goes here, and into the label below.
FROM python:3.11.16-slim-bookworm@sha256:0bee7276f83efd4a1ee05bbbf4281d95ed28e079220a9457f25a93e3f1e3c31b AS python

FROM python AS build
ENV UV_NO_CACHE=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY requirements/image.txt requirements/run.txt requirements/
# What builds stands beside what runs, and stays in this stage. Everything is pinned, and held against its hash.
RUN python -m venv tools \
    && tools/bin/pip install --no-cache-dir --require-hashes --requirement requirements/image.txt
RUN tools/bin/uv venv --python /usr/local/bin/python /opt/datacloud-consumer \
    && tools/bin/uv pip install --python /opt/datacloud-consumer --require-hashes --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY consumer consumer
RUN tools/bin/hatchling build --target wheel --directory dist \
    && tools/bin/uv pip install --python /opt/datacloud-consumer --no-deps dist/*.whl

FROM python
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="datacloud-consumer" \
      org.opencontainers.image.description="Carries Kafka change-data-capture and event topics into Salesforce Data Cloud (Data 360)" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.16-slim-bookworm" \
      org.opencontainers.image.base.digest="sha256:0bee7276f83efd4a1ee05bbbf4281d95ed28e079220a9457f25a93e3f1e3c31b"
# The base's own means of installing go. Its library is compiled now: nothing can be written later.
RUN rm -rf /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip* /usr/local/bin/wheel \
    && python -m compileall -q -x 'lib2to3|idlelib' /usr/local/lib/python3.11
COPY --from=build /opt/datacloud-consumer /opt/datacloud-consumer
ENV PATH=/opt/datacloud-consumer/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# By number, so that Kubernetes can see that it is not root. /tmp is all that it may want to write to.
USER 10001:10001
WORKDIR /
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["datacloud-consumer"]
CMD ["run"]
