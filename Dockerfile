# swarmward as an image: one static binary and the certificates that https
# checks need.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t swarmward .
FROM golang:1.26-alpine AS build
RUN apk add --no-cache ca-certificates
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd/swarmward cmd/swarmward
COPY reconcile reconcile
COPY spec spec
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /swarmward ./cmd/swarmward
RUN mkdir /cache

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /swarmward /swarmward
# A volume that is mounted there begins as this folder does: nobody's.
COPY --chown=65534:65534 --from=build /cache /var/cache/swarmward
# The Docker socket belongs to root. Run it as another user where a group or a
# socket proxy allows that.
ENV SWARMWARD_LISTEN=:8080 SWARMWARD_GIT_CACHE=/var/cache/swarmward
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/swarmward", "health"]
ENTRYPOINT ["/swarmward"]
CMD ["run"]
