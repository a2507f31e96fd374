#!/bin/bash
# Builds provider images and installer ISOs in containers. This one stands in for the vendor's, in the edge-hosts lab:
# same files, same arguments, same results, and the same mistakes as at the tag that it says it is.
TARGET=$1
DAEMON=earthly-buildkitd
SPECTRO_PUB_REPO=us-docker.pkg.dev/palette-images

source .arg
ALPINE_IMG=$SPECTRO_PUB_REPO/edge/canvos/alpine:latest
BUILDER=$SPECTRO_PUB_REPO/third-party/edge/earthly/earthly:v0.8.15
BUILDKIT=$SPECTRO_PUB_REPO/third-party/edge/earthly/buildkitd:v0.8.15
PE_VERSION=$(git describe --abbrev=0 --tags)

if ! command -v docker >/dev/null 2>&1; then
  echo "There is no docker here. Install it, and start its service."
fi
if ! docker run --rm --privileged "$ALPINE_IMG" true >/dev/null 2>&1; then
  echo "A privileged container cannot be started. Builds need one."
  exit 1
fi

login=()
@LOGIN@

by_proxy() {
  [ -n "$HTTP_PROXY$HTTPS_PROXY" ] && return 0
  [ -d certs ] && [ -n "$(ls certs)" ]
}

build_by_proxy() {
@CERTS@
  docker rm -f "$DAEMON" >/dev/null 2>&1
  docker run -d --privileged --name "$DAEMON" -v "$PWD/certs:/usr/local/share/ca-certificates:ro" -p 8372:8372 \
    -e HTTP_PROXY="$HTTP_PROXY" -e HTTPS_PROXY="$HTTPS_PROXY" -e NO_PROXY="$NO_PROXY" "$BUILDKIT" >/dev/null
  docker exec -it "$DAEMON" update-ca-certificates
  docker run --rm --privileged -v "$PWD:/workspace" -v /var/run/docker.sock:/var/run/docker.sock "${login[@]}" \
    -e BUILDKIT_HOST=tcp://0.0.0.0:8372 "$BUILDER" --allow-privileged "$@"
}

build_plainly() {
  docker run --rm --privileged -v "$PWD:/workspace" -v /var/run/docker.sock:/var/run/docker.sock "${login[@]}" \
    "$BUILDER" --allow-privileged "$@"
}

manifest() {
  cat <<EOF
pack:
  content:
    images:
      - image: "{{.spectro.pack.edge-native-byoi.options.system.uri}}"
options:
  system.uri: "{{ .spectro.pack.edge-native-byoi.options.system.registry }}/{{ .spectro.pack.edge-native-byoi.options.system.repo }}:{{ .spectro.pack.edge-native-byoi.options.system.k8sDistribution }}-{{ .spectro.system.kubernetes.version }}-{{ .spectro.pack.edge-native-byoi.options.system.peVersion }}-{{ .spectro.pack.edge-native-byoi.options.system.customTag }}"
  system.registry: $IMAGE_REGISTRY
  system.repo: $IMAGE_REPO
  system.k8sDistribution: $K8S_DISTRIBUTION
  system.osName: $OS_DISTRIBUTION
  system.peVersion: $PE_VERSION
  system.customTag: $CUSTOM_TAG
  system.osVersion: $OS_VERSION
EOF
}

if by_proxy; then
  build_by_proxy "$@"
else
  build_plainly "$@"
fi
@CHECK@

case $TARGET in
  +build-provider-images | +build-provider-images-fips | +build-all-images) manifest ;;
esac
