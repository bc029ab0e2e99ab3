#!/bin/sh
# Makes a development identity (an Ed25519 key and its self-signed certificate) in certs/NAME, with the program itself.
#
#   certs/make-dev-cert.sh [NAME]      NAME defaults to dev
set -eu
here=$(cd "$(dirname "$0")" && pwd)
profile=$here/${1:-dev}
umask 077
mkdir -p "$profile"
cd "$here/.."
cargo run --quiet --locked --no-default-features -- id --profile "$profile"
echo "This identity is for development only; it lies in $profile and git ignores it."
