# Reads faces without a network, as nobody in particular:
#
#   docker build -t actionunits .
#   docker run --network none -v "$PWD:/data" actionunits au detect talk.mp4
#
# See docs/install.md.

FROM python:3.13-slim AS build
WORKDIR /project
RUN python -m venv /opt/au
COPY constraints.txt pyproject.toml README.md LICENSE LICENSE-CC0 ./
COPY src src
RUN /opt/au/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .
RUN /opt/au/bin/au --version

FROM python:3.13-slim
COPY --from=build /opt/au /opt/au
RUN useradd --create-home --uid 1000 au && mkdir /data && chown au /data
ENV PATH=/opt/au/bin:$PATH
USER au
WORKDIR /data
VOLUME /data
CMD ["au", "--help"]
