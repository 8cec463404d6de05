# syntax=docker/dockerfile:1
# The server, its site folder and nothing else. Build: docker build -t workingagents .
# Run: see fly.toml for the settings that it needs; docs/CONFIGURATION.md has all of them.

FROM rust:1-bookworm AS build
RUN rustup target add wasm32-unknown-unknown
WORKDIR /src
COPY . .
# Fails here, and not after the long part, if Cargo.lock does not fit the manifests.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo fetch --locked
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo xtask build --release \
    && mkdir /out \
    && cp target/release/workingagents /out/workingagents \
    && cp -r target/site /out/site

# The same Debian as above, for the same C library. Nothing is installed: certificates for TLS are in the binary.
FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin workingagents
COPY --from=build /out/workingagents /usr/local/bin/workingagents
COPY --from=build /out/site /usr/share/workingagents/site
COPY --from=build /src/LICENSE /usr/share/doc/workingagents/LICENSE
ENV WORKINGAGENTS_SITE__DIR=/usr/share/workingagents/site \
    WORKINGAGENTS_DASHBOARD__LISTEN=0.0.0.0:8080 \
    WORKINGAGENTS_MACHINES__LISTEN=0.0.0.0:8081 \
    WORKINGAGENTS_AUTHORIZATION__LISTEN=0.0.0.0:8082 \
    WORKINGAGENTS_METRICS__LISTEN=0.0.0.0:9090
USER 10001:10001
# Dashboard, machines, authorization, and metrics for an internal network.
EXPOSE 8080 8081 8082 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --start-period=20s --retries=3 CMD ["workingagents", "healthcheck"]
CMD ["workingagents", "serve"]
