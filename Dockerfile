# One service's image, by BuildKit: docker build --build-arg SERVICE=gateway --tag scic-gateway .
#
# SERVICE is gateway, selector, compressor or composer. It chooses the dependencies and the code that go in, and the
# stage that the image ends with. The image needs no writable file system, except for the selector's /data, and for the
# gateway's /objects where that is its object storage.
ARG SERVICE=gateway

FROM python:3.11-slim-bookworm AS build
ARG SERVICE
ENV PATH=/venv/bin:$PATH
COPY requirements/${SERVICE}.lock /requirements.lock
# Wheels only: nothing is compiled, and no package's code runs while images are built.
RUN python -m venv /venv \
 && pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r /requirements.lock
WORKDIR /app
COPY buf buf
COPY scic scic
COPY services/__init__.py services/
COPY services/chassis services/chassis
COPY services/text services/text
COPY services/prompt services/prompt
COPY services/${SERVICE} services/${SERVICE}
RUN python -m compileall -q .

# The encoder's model, made here so that no replica spends its start on it. Only the stages that copy it run this.
FROM build AS model
RUN ["python", "-m", "services.text.model", "--dir", "/model"]

FROM python:3.11-slim-bookworm AS run
# One thread a replica: parallelism comes from replicas, and thread pools in each would only fight over the cores.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app

# Below, what differs at run time. A container's loopback is reached by nobody, hence the hosts.
FROM run AS gateway
ENV SCIC_GATEWAY_HOST=0.0.0.0 KF_RULE_CACHE_DIR=/rules
# The rules for secrets are compiled here: else every start takes some seconds for them. A volume that is mounted at
# /objects for the first time takes over the owner.
RUN python -c "from kingfisher_sdk import Rules; Rules()" \
 && chmod -R a+rX /rules \
 && install -d -o 10001 -g 10001 -m 0700 /objects
EXPOSE 50051 9051 9151
ENTRYPOINT ["python", "-m", "services.gateway"]

FROM run AS selector
ENV SCIC_SELECTOR_HOST=0.0.0.0 SCIC_SELECTOR_DATA_DIR=/data SCIC_SELECTOR_MODEL_DIR=/model
COPY --from=model /model /model
RUN install -d -o 10001 -g 10001 -m 0700 /data
EXPOSE 50052 9052
ENTRYPOINT ["python", "-m", "services.selector"]

FROM run AS compressor
ENV SCIC_COMPRESSOR_HOST=0.0.0.0 SCIC_COMPRESSOR_MODEL_DIR=/model
COPY --from=model /model /model
EXPOSE 50053 9053
ENTRYPOINT ["python", "-m", "services.compressor"]

FROM run AS composer
ENV SCIC_COMPOSER_HOST=0.0.0.0
EXPOSE 50054 9054
ENTRYPOINT ["python", "-m", "services.composer"]

FROM ${SERVICE}
USER 10001:10001
