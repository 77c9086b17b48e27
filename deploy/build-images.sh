#!/bin/sh
# Builds the images of the three services: deploy/build-images.sh [TAG [REGISTRY]]
# Without a registry they go to the local Docker or Podman, with one they are pushed there (docker login comes first).
set -eu
cd "$(dirname "$0")/.."
tag=${1:-dev}
registry=${2:-}
for project in Proxy.Continuity Proxy.Accounts Proxy.Edge; do
  dotnet publish "$project" -c Release -t:PublishContainer -p:ContainerImageTag="$tag" ${registry:+-p:ContainerRegistry="$registry"}
done
