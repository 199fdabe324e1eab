# The image of the daemon: compiled in the first stage, tested there when RUN_TESTS is 1, and copied
# to a second stage that holds the daemon and the libraries it needs. Docker 20.10 can build it.

FROM debian:trixie-slim AS build
WORKDIR /src
COPY deploy/packages.sh deploy/
ARG RUN_TESTS=0
RUN purpose=build; [ "$RUN_TESTS" = 0 ] || purpose=test; deploy/packages.sh "$purpose" --yes
COPY . .
ARG REVISION=unknown
RUN REVISION="${REVISION:-unknown}" \
    && make -j"$(nproc)" server REVISION="$REVISION" \
    && if [ "$RUN_TESTS" != 0 ]; then make test VARIANTS=plain REVISION="$REVISION"; fi \
    && install -D -s build/gradientd /out/gradientd

FROM debian:trixie-slim
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
        libmicrohttpd12t64 libgnutls30t64 libjansson4 libopenblas0-pthread libseccomp2 \
        zlib1g libzstd1 >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
COPY --from=build /out/gradientd /usr/bin/gradientd

# Listens on all addresses of the container. Who reaches them is decided where their ports are
# published, so it starts without tokens too; GRADIENTD_TOKEN_FILE names a file of them.
ENV GRADIENTD_LISTEN=*:8080 \
    GRADIENTD_INSECURE=on \
    GRADIENTD_ADMIN_LISTEN=*:8081 \
    GRADIENTD_SANDBOX=on \
    OPENBLAS_NUM_THREADS=1
# Not the admin port: docker run -P would publish it.
EXPOSE 8080
USER 65532:65532
STOPSIGNAL SIGTERM
# Finds the daemon by the container's variables (and the file that they name); it does not see flags
# given to docker run after the image's name.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["gradientd", "healthcheck"]
ENTRYPOINT ["gradientd"]

ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=
ARG CREATED=
LABEL org.opencontainers.image.title="gradientd" \
    org.opencontainers.image.description="The backward pass of neural networks over HTTP" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.source="$SOURCE" \
    org.opencontainers.image.created="$CREATED" \
    org.opencontainers.image.licenses="MIT"
