# The image that models' workers run in: what a template finds in every environment of a model, and nothing else.
# Rafiki's own part is not in it: the server shows its workers the one that fits it.
#
#     podman build -t rafikiai/rafiki_worker -f docker/worker.Dockerfile docker
#
# A model's image extends it:
#
#     FROM rafikiai/rafiki_worker
#     RUN pip install scikit-learn==1.5.2
#
# Its python3 (the first on its PATH) must be 3.8 or later. Entry point, user and working directory do not matter.
ARG BASE=docker.io/library/python:3.11-slim
FROM ${BASE}
RUN python3 -m venv /opt/rafiki \
    && /opt/rafiki/bin/pip install --no-cache-dir --no-compile numpy Pillow requests \
    && /opt/rafiki/bin/python3 -m compileall -q /opt/rafiki
ENV PATH=/opt/rafiki/bin:$PATH
