# onehead as a container: no root, no shell needed, a read-only root file system works (only /tmp and the cache are
# written). Settings come from the environment; deploy/README.md shows how.

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md requirements.lock requirements-build.lock ./
COPY bot ./bot
COPY templates ./templates
COPY deploy/completion.py deploy/metadata.py ./deploy/
# Only what the locks name comes from a network. Without pip, nothing can be installed into the image later, and it is smaller.
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The history, from whose tags the version comes, is not sent to the builder: --build-arg VERSION=… names it.
ARG VERSION
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --requirement requirements-build.lock \
 && SETUPTOOLS_SCM_PRETEND_VERSION_FOR_ONEHEAD="$VERSION" /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/build . \
 && python -m venv /opt/onehead \
 && /opt/onehead/bin/pip install --require-hashes --requirement requirements.lock \
 && /opt/onehead/bin/pip install --no-deps --no-index /opt/build/onehead-*.whl \
 && /opt/onehead/bin/pip uninstall --yes --quiet pip

FROM python:3.13-slim
ARG VERSION
LABEL org.opencontainers.image.title="onehead" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.description="Keeps every deployable branch of an Alembic project at one head." \
      org.opencontainers.image.licenses="MIT"
# The base image's Debian has one version of git, the one with all of its fixes.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin onehead \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/cache/onehead
COPY --from=build /opt/onehead /opt/onehead

# Inside a container only its own network sees every interface.
ENV PATH=/opt/onehead/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ONEHEAD_LISTEN=0.0.0.0:8686 \
    ONEHEAD_CACHE_DIR=/var/cache/onehead \
    ONEHEAD_LOG=json

# By number, so that a cluster can see that it is not root.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8686
# Mirrors and parsed files; it may be lost at any time.
VOLUME ["/var/cache/onehead"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
port = int(os.environ['ONEHEAD_LISTEN'].rpartition(':')[2]); \
asked = http.client.HTTPConnection('127.0.0.1', port, timeout=3); \
asked.request('GET', '/healthz'); \
sys.exit(asked.getresponse().status != 200)"]
ENTRYPOINT ["onehead"]
CMD ["serve"]
