#!/bin/bash
# The lab's stand-in for the vendor's installer of the Palette agent. It is the lab's own text and keeps the documented
# contract only: which variables it reads, which tools it wants, how it downloads, what it runs, how it ends.
#
#   USERDATA   path or URL of the user-data; empty = install without a configuration
#   IMAGE      payload image to install from
#   URL        where the agent binary comes from
#   VERSION    is set here, whatever the caller says
#
# There is no test for root, no guard against a second run, no checksum, and curl runs without --fail: a page that says
# "not found" is saved, made executable and started, as with the real one.
set -e

VERSION="v@VERSION@"
FIPS="@FIPS@"

require() {
    local tool
    for tool in "$@"; do
        if ! command -v "$tool" >/dev/null 2>&1; then
            echo "$tool is not installed. Please install $tool and try again."
            exit 1
        fi
    done
}

case "$(uname -m)" in
    x86_64) ARCH=amd64 ;;
    aarch64 | arm64) ARCH=arm64 ;;
    *) echo "Unsupported architecture: $(uname -m)" ;; # and it goes on, to fail at the download
esac

require bash systemctl jq rsync zstd

if [ "$FIPS" = true ]; then
    flavour=-fips
else
    flavour=""
fi
URL="${URL:-https://github.com/spectrocloud/agent-mode/releases/download/${VERSION}/palette-agent${flavour}-linux-${ARCH}}"
IMAGE="${IMAGE:-us-docker.pkg.dev/palette-images${flavour}/edge/stylus-agent-mode-linux-${ARCH}:${VERSION}}"

echo "Downloading palette-agent ${VERSION} for ${ARCH}"
curl -sS -L -o ./palette-agent "$URL"
chmod +x ./palette-agent

echo "Installing from ${IMAGE}"
if [ -n "${USERDATA:-}" ]; then
    ./palette-agent install --source "$IMAGE" --config "$USERDATA"
else
    ./palette-agent install --source "$IMAGE"
fi
