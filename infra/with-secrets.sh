#!/bin/sh
# with-secrets NAME=FILE ... -- COMMAND: variables from files, for programs that read their secrets from the environment only.
# What is in the environment of a container is shown by `docker inspect`; what this sets is seen by the program itself.
set -eu
while [ "$1" != "--" ]; do
  [ -r "${1#*=}" ] || { echo "with-secrets: cannot read ${1#*=}" >&2; exit 2; }
  export "${1%%=*}=$(cat "${1#*=}")"
  shift
done
shift
exec "$@"
