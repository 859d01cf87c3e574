# Serves policy bundles: `docker run -v BUNDLE:/bundles/current:ro -p 8000:8000 IMAGE`, or as KubeRay's Ray container.
# Neither torch nor CityLearn, no pip, no shell for its user; docs/images.md says how it is built and run.
#
# Pinned to its bytes, for every platform that it is there for; BASE names a newer one or a mirror.
ARG BASE=docker.io/library/python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/venv
# The packages, which change with the pins only, in a layer before the source.
COPY pyproject.toml constraints.txt docker/requirements.py ./
RUN python3 requirements.py serve tracing > requirements.txt \
    && /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
    --constraint constraints.txt --requirement requirements.txt
# Ray's Java libraries; what Ray makes environments with at run time, which a read-only root has no place for; its profiler,
# which needs a capability.
RUN /opt/venv/bin/python -m pip uninstall --yes --quiet virtualenv distlib python-discovery py-spy \
    && rm -rf /opt/venv/lib/python3.11/site-packages/ray/jars
COPY README.md LICENSE ./
COPY rllib_citylearn rllib_citylearn
COPY serve serve
RUN /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check --no-deps . \
    && /opt/venv/bin/python -m pip uninstall --yes --quiet setuptools pip \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM ${BASE}
# wget and grep are what KubeRay's own probes call. tini passes signals on from the start: the first process of a container ignores
# those that it has no handler for yet, and its stop would wait until it is killed. It buries what Ray leaves, too.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 1001 citylearn \
    && useradd --uid 1001 --gid 1001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin citylearn \
    && echo "PATH=/opt/venv/bin:\$PATH" > /etc/profile.d/venv.sh
# Made here, while root works: nothing in it can be written to.
WORKDIR /app
RUN --mount=type=bind,source=docker/finish.py,target=/mnt/finish.py python3 /mnt/finish.py
COPY --from=build /opt/venv /opt/venv

# Ray Serve's HAProxy ingress; docs/serving.md, "On a cluster", says what each is for.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RAY_USAGE_STATS_ENABLED=0 \
    RAY_SERVE_ENABLE_HA_PROXY=1 \
    RAY_SERVE_THROUGHPUT_OPTIMIZED=1 \
    RAY_SERVE_HAPROXY_NBTHREAD=1 \
    RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE=1 \
    RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S=60 \
    RAY_SERVE_HAPROXY_BINARY_PATH=/opt/venv/bin/rllib-citylearn-haproxy \
    RAY_SERVE_HAPROXY_RETRY_ON="conn-failure empty-response" \
    RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S=2

ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=
ARG BASE
LABEL org.opencontainers.image.title="rllib_citylearn serve" \
      org.opencontainers.image.description="Serves policies for communities of grid-interactive buildings with Ray Serve" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"

USER 1001:1001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["wget", "--quiet", "--tries=1", "--timeout=4", "--output-document=/dev/null", "http://127.0.0.1:8000/health"]
ENTRYPOINT ["tini", "--", "rllib-citylearn"]
CMD ["serve", "/bundles/current", "--host", "0.0.0.0"]
