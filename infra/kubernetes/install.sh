#!/usr/bin/env bash
# Socle on Kubernetes, from the official Prefect charts and the files beside this one. Run again after any change.
# Needs kubectl, helm 3, an image in a registry, a PostgreSQL and an S3 service. Names and addresses are in the files: change them there.
#   DATABASE_URL_FILE=... SECRETS=... infra/kubernetes/install.sh
# DATABASE_URL_FILE: a file with postgresql+asyncpg://user:password@host:5432/prefect
# SECRETS: the folder of infra/secrets.sh (keys of the S3 service, logins, certificate, Redis password); in it, if there are any,
# credentials/<project>/<name> of sources, http_proxy, http_ca.pem, mlflow_uri, mlflow_token and mlflow_ca.pem
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
secrets=${SECRETS:-$here/../secrets}
version=${CHART_VERSION:-2025.9.5190948}
: "${DATABASE_URL_FILE:?a file with the address of the database}"
for program in kubectl helm; do command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 2; }; done
apply() { kubectl apply -f -; }
secret() { local name=$1; shift; kubectl -n socle create secret generic "$name" "$@" --dry-run=client -o yaml | apply; }
config() { local name=$1; shift; kubectl -n socle create configmap "$name" "$@" --dry-run=client -o yaml | apply; }
projects=$(find "$here/../../projects" -mindepth 2 -maxdepth 2 -name project.yaml -printf '%h\n' | xargs -rn1 basename | sort)

kubectl apply -f "$here/namespace.yaml"

umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
sed 's/@redis:/@redis.socle:/' "$secrets/redis_url" >"$scratch/redis_url"
secret socle-database --from-file=connection-string="$DATABASE_URL_FILE"
secret socle-redis --from-file=PREFECT_REDIS_MESSAGING_URL="$scratch/redis_url" --from-file=PREFECT_SERVER_DOCKET_URL="$scratch/redis_url"
secret socle-redis-password --from-file=password="$secrets/redis_password"
secret socle-notify --from-file=urls="$secrets/notify_urls"
secret socle-logins --from-file="$secrets/people.htpasswd" --from-file="$secrets/machines.htpasswd"
secret socle-tls --from-file=tls_certificate="$secrets/tls_certificate" --from-file=tls_key="$secrets/tls_key"
for user in admin reader $projects; do
  files=(--from-file=s3_access_key="$secrets/s3_${user}_access_key" --from-file=s3_secret_key="$secrets/s3_${user}_secret_key")
  for path in "$secrets/credentials/$user"/*; do  # of the project's sources
    if [ -f "$path" ]; then files+=(--from-file="$user.$(basename "$path")=$path"); fi
  done
  for name in http_proxy http_ca.pem mlflow_uri mlflow_token mlflow_ca.pem; do
    if [ -f "$secrets/$name" ]; then files+=(--from-file="$name=$secrets/$name"); fi
  done
  secret "socle-s3-$user" "${files[@]}"
done

config nginx --from-file="$here/../nginx/nginx.conf"
config nginx-socle --from-file="$here/../nginx/socle"
config nginx-site --from-file="$here/../nginx/site-kubernetes"

kubectl apply -f "$here/network.yaml" -f "$here/services.yaml"
helm repo add prefect https://prefecthq.github.io/prefect-helm >/dev/null
helm upgrade --install prefect-server prefect/prefect-server --version "$version" -n socle -f "$here/server-values.yaml" --wait --timeout 15m

kubectl -n socle delete job lake deploy --ignore-not-found
kubectl apply -f "$here/jobs.yaml"
kubectl -n socle wait --for=condition=complete --timeout=15m job/lake job/deploy

kubectl -n socle get configmap socle -o go-template='{{range $name, $value := .data}}{{$name}}={{$value}}{{"\n"}}{{end}}' |
  grep '^SOCLE_' >"$scratch/settings"  # workers pass on to runs what decides how they go
for project in $projects; do
  printf 'SOCLE_KUBERNETES_NAMESPACE=socle\nSOCLE_KUBERNETES_SECRET=socle-s3-%s\n' "$project" | cat "$scratch/settings" - >"$scratch/worker"
  config "socle-worker-$project" --from-env-file="$scratch/worker"
  helm upgrade --install "worker-$project" prefect/prefect-worker --version "$version" -n socle -f "$here/worker-values.yaml" \
    --set fullnameOverride="worker-$project" --set "worker.config.workQueues={$project}" --set worker.extraEnvVarsCM="socle-worker-$project"
done
kubectl apply -f "$here/proxy.yaml" -f "$here/backup.yaml"
kubectl -n socle get pods
