"""Every metric that Socle exports: its name, its labels and what it says.

Dashboards and alerts (infra/) name no other, and docs/ops/monitoring.md lists them all: tests compare. All are gauges that are
read anew from where the truth is, so a restart of the exporter loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    help: str
    labels: tuple[str, ...] = ()


RUN = ("project", "flow")
DATASET = ("project", "dataset")
MODEL = ("project", "model")

RUNS = {
    "socle_runs_ended": Metric("Runs that ended within SOCLE_METRICS_WINDOW_HOURS, by their state.", (*RUN, "state")),
    "socle_runs_active": Metric("Runs that have begun and not ended: pending, running, paused, cancelling.", (*RUN, "state")),
    "socle_runs_oldest_seconds": Metric("How long the oldest of them has been in that state.", (*RUN, "state")),
    "socle_runs_due": Metric(
        "Runs that are due and have not begun, by what they wait for: a worker, a place that another run of the deployment has, a retry.",
        ("project", "waits_for"),
    ),
    "socle_runs_late_seconds": Metric("How long the oldest run that waits for a worker has been due; 0 if none waits.", ("project",)),
    "socle_run_last_state": Metric("State in which the latest run ended: 1 for that one.", (*RUN, "state")),
    "socle_run_last_end_timestamp_seconds": Metric("When the latest run ended.", RUN),
    "socle_run_last_success_timestamp_seconds": Metric("When the latest run that succeeded ended.", RUN),
    "socle_run_last_duration_seconds": Metric("Seconds that the latest run that succeeded took.", RUN),
    "socle_run_duration_seconds": Metric("Duration of the runs that ended within the window: median, max and sum.", (*RUN, "statistic")),
    "socle_schedule_period_seconds": Metric("Longest pause between two times of the active schedules.", RUN),
    "socle_schedule_changed_timestamp_seconds": Metric("When the active schedules were last changed or resumed.", RUN),
    "socle_schedule_next_timestamp_seconds": Metric("When the next scheduled run is due.", RUN),
    "socle_deployments": Metric("Deployments whose runs go to this pool.", ("pool",)),
    "socle_workers_online": Metric("Workers of this pool that answer.", ("pool",)),
    "socle_queue_paused": Metric("1 if the project's queue, or its pool, is paused.", ("project",)),
    "socle_queue_polled_timestamp_seconds": Metric("When a worker last asked for this project's runs.", ("project",)),
}
LAKE = {
    "socle_project_unreadable": Metric("1 if the project's file, or something of the project in the lake, cannot be read.", ("project",)),
    "socle_dataset_version": Metric("Number of the latest version.", DATASET),
    "socle_dataset_version_timestamp_seconds": Metric("When the latest version was committed.", DATASET),
    "socle_dataset_fresh_limit_seconds": Metric("fresh_days of the project file: older than that is stale.", DATASET),
    "socle_dataset_rows": Metric("Rows of the latest load (read, kept, refused), and of the whole version (total).", (*DATASET, "kind")),
    "socle_dataset_refused_ratio": Metric("Share of the rows read that the latest load refused.", DATASET),
    "socle_dataset_refused_ratio_usual": Metric("Median of that share over the ten loads before.", DATASET),
    "socle_dataset_checks_passed_ratio": Metric("Quality: share of the checks that passed for the latest version.", DATASET),
    "socle_dataset_checks": Metric(
        "Checks of the latest version by severity (critical, warning, info) and result (passed, failed).", (*DATASET, "severity", "result")
    ),
    "socle_dataset_verdict": Metric("What the checks of the latest version led to: 1 for that one.", (*DATASET, "verdict")),
    "socle_dataset_load_refused_timestamp_seconds": Metric("When the latest load was refused; nothing if it was published.", DATASET),
    "socle_model_version": Metric("Number of the champion (alias champion) and of the latest version (latest).", (*MODEL, "which")),
    "socle_model_champion_timestamp_seconds": Metric("When the champion was trained.", MODEL),
    "socle_model_score": Metric("Scores of the champion on its validation and test sides.", (*MODEL, "side", "metric")),
    "socle_model_score_wanted": Metric("promote.at_least of the project file.", (*MODEL, "metric")),
    "socle_model_size_bytes": Metric("Size of the champion's files.", MODEL),
    "socle_model_training_seconds": Metric("Training time of all versions together.", MODEL),
    "socle_model_training_energy_kwh": Metric("Energy of the trainings that measured it, all versions together.", MODEL),
    "socle_model_last_training_seconds": Metric("Training time of the latest version.", MODEL),
}
SIZES = {
    "socle_storage_bytes": Metric("Size of the project's objects by kind.", ("project", "kind")),
    "socle_storage_objects": Metric("Number of the project's objects by kind.", ("project", "kind")),
}
MACHINE = {
    "socle_disk_free_bytes": Metric("Free bytes of the disk under the work folders, the local lake, the database.", ("place",)),
    "socle_disk_size_bytes": Metric("Size of that disk.", ("place",)),
    "socle_database_bytes": Metric("Size of Prefect's database."),
    "socle_database_table_bytes": Metric("Its ten largest tables, indexes included (PostgreSQL).", ("table",)),
    "socle_reachable": Metric("1 if it answers: prefect, docs, storage.", ("service",)),
    "socle_certificate_expiry_timestamp_seconds": Metric("When the certificate that this address shows ends.", ("address",)),
}
EXPORTER = {
    "socle_collect_age_seconds": Metric("How old the numbers of this part are.", ("part",)),
    "socle_collect_errors": Metric("What could not be read when this part was last looked at.", ("part",)),
    "socle_collect_duration_seconds": Metric("How long that took.", ("part",)),
}
METRICS: dict[str, Metric] = RUNS | LAKE | SIZES | MACHINE | EXPORTER
