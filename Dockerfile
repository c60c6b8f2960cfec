# The image of kira-users: one static binary on nothing, run by a user that is not root.
#
#   docker build --tag kira-users:0.1.0 --build-arg REVISION=$(git rev-parse HEAD) --build-arg CREATED=$(date -u +%FT%TZ) .
#   docker run --publish 127.0.0.1:8080:8080 --volume kira:/var/lib/kira kira-users:0.1.0
#
# `docker stop` gives ten seconds; say `--stop-timeout 30` where requests may take as long as KIRA_SHUTDOWN_TIMEOUT.
# For a build that can be repeated, give the base image by its digest and the time of the commit:
#   --build-arg RUST_IMAGE=rust@sha256:… --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
ARG RUST_VERSION=1.95
ARG RUST_IMAGE=rust:${RUST_VERSION}-slim-bookworm

FROM ${RUST_IMAGE} AS tools
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# The list of what the binary is made of, in the form that scanners read.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo install --locked --root /tools cargo-cyclonedx@0.5.9

FROM ${RUST_IMAGE} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY . .
COPY --from=tools /tools/bin/cargo-cyclonedx /usr/local/bin/
# A target that is named keeps the flag from the macros of the build, which cannot be static.
ARG TARGETARCH=amd64
ARG SOURCE_DATE_EPOCH=0
ENV RUSTFLAGS="-C target-feature=+crt-static"
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=kira-users-${TARGETARCH},target=/src/target,sharing=locked \
    host=$(rustc -vV | sed -n 's/^host: //p'); \
    cargo build --locked --profile dist --features cloud --bin kira-users --target "$host"; \
    cargo cyclonedx --format json --spec-version 1.5 --features cloud --target "$host" --override-filename kira-users.cdx; \
    mkdir -p /image/usr/local/bin /image/usr/share/sbom /image/etc/ssl/certs /image/tmp /data; \
    cp "target/$host/dist/kira-users" /image/usr/local/bin/; \
    cp kira-users.cdx.json /image/usr/share/sbom/; \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; \
    echo 'kira:x:65532:65532::/var/lib/kira:/sbin/nologin' > /image/etc/passwd; \
    echo 'kira:x:65532:' > /image/etc/group; \
    chmod 1777 /image/tmp; \
    find /image /data -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG RUST_IMAGE
LABEL org.opencontainers.image.title="kira-users" \
      org.opencontainers.image.description="Self-hosted user onboarding for a fintech, over gRPC and REST" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.vendor="The maintainers of kira-users" \
      org.opencontainers.image.base.name="scratch" \
      kira-users.build.base="${RUST_IMAGE}" \
      kira-users.sbom.path="/usr/share/sbom/kira-users.cdx.json" \
      kira-users.sbom.format="CycloneDX JSON"
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /data/ /var/lib/kira/
# Loopback, the program's own default, would be the container's alone.
ENV PATH=/usr/local/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    KIRA_DATA_DIR=/var/lib/kira \
    KIRA_HTTP_ADDR=0.0.0.0:8080 \
    KIRA_GRPC_ADDR=0.0.0.0:50051 \
    KIRA_ADMIN_ADDR=0.0.0.0:9090
USER 65532:65532
WORKDIR /var/lib/kira
VOLUME /var/lib/kira
EXPOSE 8080 50051 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["kira-users", "healthcheck"]
ENTRYPOINT ["kira-users"]
CMD ["serve"]
