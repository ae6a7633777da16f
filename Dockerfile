# syntax=docker/dockerfile:1

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /app/.venv
# The pinned packages first: they change less often than the code.
COPY requirements/runtime.txt requirements/
RUN /app/.venv/bin/pip install --no-deps --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE hatch_build.py schema.graphql ./
COPY web web
COPY playcast playcast
COPY gql gql
COPY runner runner
COPY models models
COPY migrations migrations
COPY ansible ansible
RUN /app/.venv/bin/pip install --no-deps .

FROM python:3.13-slim-bookworm
# Give the id of the user who owns a mounted directory; ssh insists that the id has a name.
ARG UID=10001
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates openssh-client sshpass tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid "$UID" --home-dir /app/data --no-create-home --shell /usr/sbin/nologin playcast \
    && install -d -o playcast -g playcast -m 0700 /app/data /app/jobs
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY ansible ansible
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PLAYCAST_HOST=0.0.0.0 \
    PLAYCAST_PORT=3001 \
    PLAYCAST_DATA_DIR=/app/data \
    PLAYCAST_JOBS_DIR=/app/jobs \
    PLAYCAST_ANSIBLE_DIR=/app/ansible
USER playcast
EXPOSE 3001
VOLUME ["/app/data", "/app/jobs"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/healthz' % os.environ['PLAYCAST_PORT'], timeout=3)"]
# tini reaps what a killed job leaves behind.
ENTRYPOINT ["tini", "--"]
# Give PLAYCAST_TOKEN or PLAYCAST_TOKEN_FILE: without a token the server refuses an address that others can reach.
CMD ["playcast", "serve"]
