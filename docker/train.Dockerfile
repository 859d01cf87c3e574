# Trains policies: `docker run -v runs:/work/runs IMAGE train tune_configs/quick.yaml`, or as KubeRay's Ray container.
# docs/images.md says how it is built for CPUs and for GPUs.
ARG BASE=docker.io/library/python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/venv
# `cpu` or `cuda`: which build of torch, by far the largest part. CPU builds are in PyTorch's own index alone; its address goes
# into PIP_EXTRA_INDEX_URL, unless pip is configured with it already.
ARG TORCH=cpu
ARG PIP_EXTRA_INDEX_URL
COPY pyproject.toml constraints.txt docker/requirements.py docker/torch_build.py ./
# hadolint ignore=DL3013
RUN python3 requirements.py train serve client > requirements.txt \
    && python3 torch_build.py wanted "${TORCH}" < requirements.txt > torch.txt \
    && { /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
    --constraint constraints.txt --requirement torch.txt || python3 torch_build.py missing "${TORCH}"; } \
    && /opt/venv/bin/python torch_build.py check "${TORCH}" \
    && /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
    --constraint constraints.txt --requirement requirements.txt \
    && /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check \
    --constraint constraints.txt --no-deps citylearn
COPY README.md LICENSE ./
COPY rllib_citylearn rllib_citylearn
COPY serve serve
# This environment's pip stays: it fetches data sets. One of torch's files is of Python 3.12's grammar.
RUN /opt/venv/bin/python -m pip install --no-cache-dir --no-compile --disable-pip-version-check --no-deps . \
    && rm -rf /opt/venv/lib/python3.11/site-packages/ray/jars \
    && /opt/venv/bin/python -m compileall -q -j 0 -x py312_ --invalidation-mode unchecked-hash /opt/venv/lib

FROM ${BASE}
# wget and grep are what KubeRay's own probes call. tini passes signals on from the start: the first process of a container ignores
# those that it has no handler for yet, and its stop would wait until it is killed. It buries what Ray leaves, too.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && groupadd --gid 1001 citylearn \
    && useradd --uid 1001 --gid 1001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin citylearn \
    && install --directory --owner 1001 --group 1001 --mode 0775 /cache /work /work/runs \
    && echo "PATH=/opt/venv/bin:\$PATH" > /etc/profile.d/venv.sh
RUN --mount=type=bind,source=docker/finish.py,target=/mnt/finish.py python3 /mnt/finish.py
COPY --from=build /opt/venv /opt/venv

ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RAY_USAGE_STATS_ENABLED=0 \
    RLLIB_CITYLEARN_CACHE=/cache

ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=
ARG BASE
LABEL org.opencontainers.image.title="rllib_citylearn train" \
      org.opencontainers.image.description="Trains controllers for communities of grid-interactive buildings with RLlib" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"

WORKDIR /work
COPY tune_configs tune_configs
USER 1001:1001
STOPSIGNAL SIGTERM
# A container that trains is done when it ends; there is nothing to ask it meanwhile.
HEALTHCHECK NONE
ENTRYPOINT ["tini", "--", "rllib-citylearn"]
CMD ["--help"]
