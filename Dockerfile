# The images of Votestream, one target each: producer, consumer, dashboard, host, votectl, loadtest, canary.
#
#   docker build --target producer -t votestream/producer:dev .
#
# Each image contains one static program and its bill of materials, and nothing else: no shell, no libraries, no
# certificates. If the program must trust the public certificate authorities, mount a bundle at
# /etc/ssl/certs/ca-certificates.crt; for authorities of your own set REDIS_CA_FILE and DATABASE_CA_FILE.
# For several architectures, and for images without a build time, see docs/CONTAINERS.md.
# containers/build replaces the stage `compiled` by programs that are compiled already.

ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown

FROM ${RUST_IMAGE} AS toolchain
WORKDIR /votestream
RUN cargo install --locked cargo-chef@0.1.78 cargo-cyclonedx@0.5.9

FROM toolchain AS recipe
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

# The dependencies are a layer of their own, which stays until Cargo.lock changes. The target is that of the build
# machine, so --platform selects the architecture.
FROM toolchain AS compiled
COPY containers/compile containers/compile
COPY --from=recipe /recipe.json /recipe.json
RUN containers/compile --dependencies /recipe.json
COPY . .
RUN containers/compile /programs

FROM scratch AS producer
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Votestream producer" \
      org.opencontainers.image.description="Takes ballots over HTTP and appends them to a Redis Stream" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=compiled /programs/producer.cdx.json /sbom.cdx.json
COPY --from=compiled /programs/producer /producer
EXPOSE 8080 9080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["/producer", "healthcheck"]
USER 65532:65532
ENTRYPOINT ["/producer"]

FROM scratch AS consumer
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Votestream consumer" \
      org.opencontainers.image.description="Counts the ballots of Redis Streams in Postgres" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=compiled /programs/consumer.cdx.json /sbom.cdx.json
COPY --from=compiled /programs/consumer /consumer
EXPOSE 9082
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["/consumer", "healthcheck"]
USER 65532:65532
ENTRYPOINT ["/consumer"]

FROM scratch AS dashboard
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Votestream dashboard" \
      org.opencontainers.image.description="Pushes the tally to every watching browser" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=compiled /programs/dashboard.cdx.json /sbom.cdx.json
COPY --from=compiled /programs/dashboard /dashboard
EXPOSE 8081 9081
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["/dashboard", "healthcheck"]
USER 65532:65532
ENTRYPOINT ["/dashboard"]

FROM scratch AS host
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Votestream host" \
      org.opencontainers.image.description="Lets organisers open, change and close polls" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=compiled /programs/host.cdx.json /sbom.cdx.json
COPY --from=compiled /programs/host /host
EXPOSE 8082 9083
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["/host", "healthcheck"]
USER 65532:65532
ENTRYPOINT ["/host"]

FROM scratch AS votectl
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="votectl" \
      org.opencontainers.image.description="What an operator of Votestream does: migrations, polls, codes, audits" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=compiled /programs/votectl.cdx.json /sbom.cdx.json
COPY --from=compiled /programs/votectl /votectl
USER 65532:65532
ENTRYPOINT ["/votectl"]

FROM scratch AS loadtest
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Votestream load tester" \
      org.opencontainers.image.description="Votes at a fixed rate and audits every acknowledged ballot" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=compiled /programs/loadtest.cdx.json /sbom.cdx.json
COPY --from=compiled /programs/loadtest /loadtest
USER 65532:65532
ENTRYPOINT ["/loadtest"]

FROM scratch AS canary
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Votestream canary" \
      org.opencontainers.image.description="Votes all the time, and measures when the vote is on screen" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=compiled /programs/canary.cdx.json /sbom.cdx.json
COPY --from=compiled /programs/canary /canary
EXPOSE 9084
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["/canary", "healthcheck"]
USER 65532:65532
ENTRYPOINT ["/canary"]
