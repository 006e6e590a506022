# pagewash in a container: watches /inbox, writes to /cleaned, and moves originals that are done to
# /archive. It runs as an ordinary user; nothing but these folders needs to be writable.
#
#   docker build --tag pagewash .
#   docker run --user "$(id -u):$(id -g)" --read-only --tmpfs /tmp \
#     --volume "$PWD/inbox:/inbox" --volume "$PWD/cleaned:/cleaned" --volume "$PWD/archive:/archive" pagewash
#
# Other commands: docker run … pagewash clean /scans /cleaned. With Tesseract and OCRmyPDF:
# docker build --build-arg EXTRAS=ocrmypdf --build-arg PROGRAMS="tesseract-ocr ghostscript" …
FROM python:3.12-slim-bookworm AS build
ARG EXTRAS=""
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /source
COPY . .
RUN python -m venv /opt/pagewash \
    && /opt/pagewash/bin/pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" "torch>=2.13,<2.14" \
    && /opt/pagewash/bin/pip install --no-cache-dir ".${EXTRAS:+[$EXTRAS]}"

FROM python:3.12-slim-bookworm
ARG PROGRAMS=""
# libgl1 and libglib2.0-0 are what OpenCV's wheel loads
# hadolint ignore=DL3008,SC2086
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 $PROGRAMS \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 pagewash \
    && install --directory --owner pagewash --group pagewash /inbox /cleaned /archive
COPY --from=build /opt/pagewash /opt/pagewash
ENV PATH=/opt/pagewash/bin:$PATH \
    HOME=/tmp \
    MALLOC_ARENA_MAX=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 1000:1000
WORKDIR /tmp
# a watch touches the file with every look and every page
HEALTHCHECK --interval=60s --start-period=120s \
    CMD ["python", "-c", "import os, sys, time; sys.exit(time.time() - os.stat('/tmp/alive').st_mtime > 600)"]
CMD ["pagewash", "watch", "/inbox", "/cleaned", "--archive", "/archive", "--heartbeat", "/tmp/alive"]
