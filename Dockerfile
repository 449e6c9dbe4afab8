# docker build -t ringbook .
# docker run --rm --read-only --shm-size=256m ringbook --venue binance-spot --symbols BTCUSDT,ETHUSDT
# Every RUN is a step of scripts/image-steps.sh, which continuous integration runs without a container engine.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
WORKDIR /sources
COPY . .
RUN sh scripts/image-steps.sh wheel /sources /wheels
RUN sh scripts/image-steps.sh install /wheels /ringbook
RUN sh scripts/image-steps.sh trim /ringbook
RUN sh scripts/image-steps.sh warm /ringbook /cache
RUN sh scripts/image-steps.sh check /ringbook /cache

FROM python:${PYTHON}-slim
# The same paths as in the build stage: numba's cache remembers where its sources lay.
COPY --from=build /ringbook /ringbook
COPY --from=build --chown=10001:10001 /cache /cache
ENV PATH=/ringbook/bin:$PATH RINGBOOK_CACHE_DIR=/cache PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A new volume starts with the warmed kernels and stays writable when the root is read-only.
VOLUME /cache
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["ringbook", "health", "--alive"]
ENTRYPOINT ["ringbook", "run"]
CMD ["--help"]
