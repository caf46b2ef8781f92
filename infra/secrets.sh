#!/usr/bin/env bash
# The secrets of docker-compose.yml, as files of infra/secrets/. What is there is never changed, so it can be run again.
#   infra/secrets.sh                                  everything that is missing
#   infra/secrets.sh person prenom.nom@example.gouv.fr    a login by password; prints the password, once
#   infra/secrets.sh machine worker-2                 a key for the machines' door; prints it, once
set -euo pipefail
umask 077
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${SOCLE_SECRETS:-$root/infra/secrets}
host=${SOCLE_HOST:-localhost}
install -d -m 0700 "$folder"

# Containers read them under other users: the folder is closed to everybody else, the files need not be.
keep() { # NAME: what comes on standard input, if there is no such file
  if [ -e "$folder/$1" ]; then cat >/dev/null; else cat >"$folder/.$1.new" && chmod 0444 "$folder/.$1.new" && mv "$folder/.$1.new" "$folder/$1"; fi
}
random() { openssl rand -hex "${1:-24}"; }
of() { cat "$folder/$1"; }

login() { # FILE NAME
  case "$2" in *:* | "") echo "a name without a colon is needed" >&2; exit 2 ;; esac
  if grep -q "^$2:" "$folder/$1" 2>/dev/null; then echo "$2 is there already: take its line out of $folder/$1 for a new password" >&2; exit 2; fi
  local password
  password=$(random 12)
  { cat "$folder/$1" 2>/dev/null || true; printf '%s:%s\n' "$2" "$(printf '%s' "$password" | openssl passwd -6 -stdin)"; } >"$folder/.$1.new"
  chmod 0444 "$folder/.$1.new"
  mv "$folder/.$1.new" "$folder/$1"
  echo "$2 $password"
}

case "${1:-all}" in
  person) login people.htpasswd "${2:-}"; exit ;;
  machine) login machines.htpasswd "${2:-}"; exit ;;
  all) ;;
  *) sed -n '2,5p' "$0" >&2; exit 2 ;;
esac

random | keep postgres_password
printf 'postgresql+asyncpg://prefect:%s@postgres:5432/prefect' "$(of postgres_password)" | keep database_url
random | keep redis_password
printf 'redis://:%s@redis:6379/0' "$(of redis_password)" | keep redis_url
random | keep grafana_password
openssl rand -base64 32 | tr -d '\n' | tr '+/' '-_' | keep oidc_cookie_secret
: | keep oidc_client_secret
printf '# One target a line: docs/ops/notifications.md\n' | keep notify_urls
: | keep people.htpasswd
: | keep machines.htpasswd

projects=$(find "$root/projects" -mindepth 2 -maxdepth 2 -name project.yaml -printf '%h\n' | xargs -rn1 basename | sort)
for user in admin reader $projects; do
  random 10 | tr a-f A-F | tr -d '\n' | keep "s3_${user}_access_key"
  random 20 | tr -d '\n' | keep "s3_${user}_secret_key"
done

# Users of the S3 server that docker-compose.yml brings: a project's keys open its own bucket, and read the common one.
identity() { # NAME ACTION...
  local name=$1; shift
  printf '    {"name": "%s", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": [%s]}' \
    "$name" "$(of "s3_${name}_access_key")" "$(of "s3_${name}_secret_key")" "$(printf '"%s", ' "$@" | sed 's/, $//')"
}
prefix=${SOCLE_PREFIX:-socle}
{
  printf '{\n  "identities": [\n'
  identity admin Admin Read Write List Tagging
  printf ',\n'; identity reader Read List
  for project in $projects; do
    bucket=$prefix-$project
    printf ',\n'; identity "$project" "Read:$bucket" "Write:$bucket" "List:$bucket" "Read:$prefix-commun" "List:$prefix-commun"
  done
  printf '\n  ]\n}\n'
} >"$folder/.s3_identities.new"
chmod 0444 "$folder/.s3_identities.new"
mv "$folder/.s3_identities.new" "$folder/s3_identities"  # made anew: there may be a new project

if [ ! -e "$folder/tls_certificate" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj "/CN=$host" -addext "subjectAltName=DNS:$host" \
    -keyout "$folder/tls_key" -out "$folder/tls_certificate" 2>/dev/null
  chmod 0444 "$folder/tls_key" "$folder/tls_certificate"
  echo "A certificate that no browser trusts was made for $host, for 90 days: put the real one into $folder/tls_certificate and tls_key." >&2
fi
