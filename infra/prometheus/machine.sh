#!/usr/bin/env bash
# Prometheus and Alertmanager on this machine, from Debian's packages, beside `socle up --profile team`; Ctrl-C ends both.
#   apt-get install prometheus prometheus-alertmanager && infra/prometheus/machine.sh [folder for their data]
# Only loopback addresses are listened on. Data is kept 90 days.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../../.socle/prometheus}
prometheus=${PROMETHEUS_PORT:-9090} alertmanager=${ALERTMANAGER_PORT:-9093}
for program in prometheus prometheus-alertmanager; do
  command -v "$program" >/dev/null || { echo "$program is not installed: apt-get install $program" >&2; exit 2; }
done
mkdir -p "$folder"
cp "$here/alerts.yml" "$folder/"
sed -e "s/metrics:4202/127.0.0.1:${SOCLE_METRICS_PORT:-4202}/" -e "s/alertmanager:9093/127.0.0.1:$alertmanager/" \
  -e "s/notify:4203/127.0.0.1:${SOCLE_NOTIFY_PORT:-4203}/" -e "s/localhost:9090/127.0.0.1:$prometheus/" "$here/prometheus.yml" >"$folder/prometheus.yml"
sed -e "s#http://notify:4203#${SOCLE_NOTIFY_URL:-http://127.0.0.1:${SOCLE_NOTIFY_PORT:-4203}}#" "$here/alertmanager.yml" >"$folder/alertmanager.yml"

pids=()
stop() {
  trap - EXIT INT TERM
  kill "${pids[@]}" 2>/dev/null || true
  wait
}
trap stop EXIT
trap 'stop; exit 0' INT TERM
prometheus-alertmanager --config.file="$folder/alertmanager.yml" --storage.path="$folder/alertmanager" \
  --web.listen-address="127.0.0.1:$alertmanager" --cluster.listen-address= --log.level=warn &
pids+=($!)
prometheus --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/data" --storage.tsdb.retention.time=90d \
  --web.listen-address="127.0.0.1:$prometheus" --log.level=warn &
pids+=($!)
echo "Prometheus   http://127.0.0.1:$prometheus/alerts"
wait -n || true # either of them ended by itself: so do we
exit 3
