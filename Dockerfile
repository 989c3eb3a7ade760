# The image for the chart in helm/. Build it with:
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag registry.example.com/data/datacloud-consumer:0.1.0 .
#
# The digest is that of the official image's index, as listed in docker-library/repo-info. To update it, change it here
# and in the label below.
FROM python:3.11.16-slim-bookworm@sha256:0bee7276f83efd4a1ee05bbbf4281d95ed28e079220a9457f25a93e3f1e3c31b AS python

FROM python AS build
ENV UV_NO_CACHE=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY requirements/image.txt requirements/run.txt requirements/
# Build tools are installed in a separate folder and stay in this stage. All requirements are pinned with hashes.
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
      org.opencontainers.image.description="Streams Kafka CDC and event topics into Salesforce Data 360 (formerly Data Cloud)" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.16-slim-bookworm" \
      org.opencontainers.image.base.digest="sha256:0bee7276f83efd4a1ee05bbbf4281d95ed28e079220a9457f25a93e3f1e3c31b"
# Remove pip and other installers of the base image. Compile its library now, because the file system is read-only later.
RUN rm -rf /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip* /usr/local/bin/wheel \
    && python -m compileall -q -x 'lib2to3|idlelib' /usr/local/lib/python3.11
COPY --from=build /opt/datacloud-consumer /opt/datacloud-consumer
ENV PATH=/opt/datacloud-consumer/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A numeric user, so that Kubernetes can verify runAsNonRoot. The process only writes to /tmp.
USER 10001:10001
WORKDIR /
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["datacloud-consumer"]
CMD ["run"]
