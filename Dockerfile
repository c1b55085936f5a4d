# Built from the repository's root: docker build --build-arg VERSION=$(python3 cli.py version) .
# Both stages must start from the same base, because a venv points to the Python that made it.
ARG BASE_IMAGE=python:3.12-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /src
COPY requirements.txt ./
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --no-compile -r requirements.txt \
 && /opt/venv/bin/pip uninstall --yes pip setuptools
COPY LICENSE cli.py router.py /app/
COPY functions /app/functions
COPY schemas /app/schemas
COPY shared /app/shared
# The root is read-only later, so what Python would compile at each start is compiled here, once.
RUN /opt/venv/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib /app
ARG VERSION=dev
RUN test "${VERSION}" = dev || test "${VERSION}" = "$(/opt/venv/bin/python3 /app/cli.py version)"

FROM ${BASE_IMAGE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reuse-surface" \
      org.opencontainers.image.description="The federation hub: one federated index of what repositories offer for reuse" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="https://gitea.coulomb.social/coulomb/reuse-surface" \
      org.opencontainers.image.licenses="MIT"
# A base may bring pip along; whoever gets in shall not find it.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages/pip* /usr/lib*/python3.*/ensurepip \
           /usr/local/lib/python3.*/ensurepip \
 && groupadd --gid 10001 hub \
 && useradd --uid 10001 --gid hub --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hub \
 && install --directory --owner 10001 --group 10001 --mode 0750 /data \
 && ln -s /app/cli.py /usr/local/bin/reuse-surface
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# By default glibc holds back freed memory in an arena for each thread, and in blocks of up to 32 MiB. With two arenas and
# a fixed threshold a full hub takes a third less (docs/Performance.md).
ENV MALLOC_ARENA_MAX=2 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    REUSE_SURFACE_DATA_DIR=/data \
    REUSE_SURFACE_LOG=json
WORKDIR /app
USER 10001:10001
EXPOSE 8080
VOLUME ["/data"]
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["python3", "-I", "/app/shared/server/probe.py"]
CMD ["reuse-surface", "serve", "--host", "::"]
