"""What the server watches by itself, as code: runs that failed, crashed, wait too long, or gave no sign of life.

Ours bear a tag of ours; those that people made are left alone, and one of ours that somebody switched off stays off. They tell
the notifier (flows/notify/), which knows whom to tell: no address and no secret is in Prefect, but the notifier's own address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flows.deploy import pools
from flows.deploy.plan import Kind, pages
from flows.deployments import FLOWS, LOST, WARNED
from flows.settings import Settings

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger

TAG = "socle"
BLOCK = "socle-notifier"
RUN = "prefect.flow-run."
NOT_CANCELLED = "Annulation constatée : son processus ou sa machine ne répond plus."
ENDED = [RUN + name for name in ("Completed", "Failed", "TimedOut", "Crashed", "Cancelled", WARNED)]
WAITS_AGAIN = [RUN + name for name in ("Scheduled", "AwaitingRetry", "AwaitingConcurrencySlot", "Late", "Paused", "Suspended")]
ALIVE = [RUN + "heartbeat", RUN + "Pending"]
"""Each of these promises another one, or an end. `Running` is not among them: the first heartbeat comes with it, in either order,
and an event that is expected but promises nothing would count as the run's next sign of life."""

PAYLOAD = """\
{{ {
  "kind": "KIND",
  "run": flow_run.id|default("")|string,
  "name": flow_run.name|default(""),
  "flow": flow.name|default(""),
  "project": deployment.name|default(""),
  "state": event.resource["prefect.state-name"]|default(""),
  "message": flow_run.state.message|default("", true),
  "due": flow_run.expected_start_time|default("")|string
} | tojson }}"""


@dataclass(frozen=True)
class AutomationChange:
    kind: Kind
    name: str
    fields: list[str] = field(default_factory=list)
    wanted: AutomationCore | None = None
    present: Automation | None = None


async def plan(client: PrefectClient, settings: Settings, *, notifier: bool, keep: bool) -> list[AutomationChange]:
    """Compare the list below with the server. `notifier`: there is one to tell. `keep`: only add what is missing, since
    one project is deployed, and these are of all."""
    block = await _block_id(client, settings, keep=keep)
    present = {each.name: each async for each in _ours(client)}
    changes = []
    for wanted in automations(settings, block, notifier):
        there = present.pop(wanted.name, None)
        if there is None:
            changes.append(AutomationChange("added", wanted.name, wanted=wanted))
            continue
        differ = [name for name in ("description", "trigger", "actions") if not keep and getattr(wanted, name) != getattr(there, name)]
        changes.append(AutomationChange("changed" if differ else "unchanged", wanted.name, differ, wanted, there))
    return changes + [AutomationChange("removed", name, present=there) for name, there in present.items() if not keep]


async def carry_out(client: PrefectClient, settings: Settings, changes: list[AutomationChange], *, notifier: bool, keep: bool) -> None:
    if all(change.kind == "unchanged" for change in changes):
        return
    block = await _block_id(client, settings, keep=keep)
    if block is None and notifier:
        block = await _make_block(client, settings)
    wanted = {each.name: each for each in automations(settings, block, notifier)}
    for change in changes:
        if change.kind == "added":
            await client.create_automation(wanted[change.name])
        elif change.kind == "changed" and change.present is not None:
            again = wanted[change.name].model_copy(update={"enabled": change.present.enabled})
            await client.update_automation(change.present.id, again)
        elif change.kind == "removed" and change.present is not None:
            await client.delete_automation(change.present.id)


def automations(settings: Settings, block: Any, notifier: bool) -> list[AutomationCore]:
    """The list. `block`: id of the webhook to the notifier; None: there is none yet, which is a change of its own."""
    from uuid import UUID

    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import CallWebhook, ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore

    def tell(kind: str) -> CallWebhook:
        return CallWebhook(block_document_id=block or UUID(int=0), payload=PAYLOAD.replace("KIND", kind))

    def one(name: str, description: str, trigger: EventTrigger, action: Any) -> AutomationCore:
        return AutomationCore(name=f"Socle : {name}", description=description, tags=[TAG], trigger=trigger, actions=[action])

    late, lost = timedelta(minutes=settings.late_after_min), timedelta(minutes=settings.lost_after_min)
    tells = [
        one("exécution échouée", "Prévient.", _when("Failed", "TimedOut"), tell("failed")),
        one("exécution interrompue", "Prévient.", _when("Crashed"), tell("crashed")),
        one(
            "exécution en retard",
            f"Prévient d'une exécution qui attend depuis {settings.late_after_min:g} minutes de plus que prévu.",
            _without([RUN + "Late"], [*ENDED, RUN + "Pending", RUN + "Running", RUN + "Scheduled"], late, _in_our_pools()),
            tell("late"),
        ),
    ]
    closes = [
        one(
            "exécution sans signe de vie",
            f"Clôt une exécution qui n'a donné aucun signe de vie depuis {settings.lost_after_min:g} minutes.",
            _without(ALIVE, [*ALIVE, *ENDED, *WAITS_AGAIN], lost, _of_our_flows()),
            ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=LOST, force=False),
        ),
        one(
            "annulation sans réponse",
            f"Clôt une exécution dont l'annulation n'a pas été confirmée depuis {settings.lost_after_min:g} minutes.",
            _without([RUN + "Cancelling"], ENDED, lost, _of_our_flows()),
            ChangeFlowRunState(state=StateType.CANCELLED, name="Cancelled", message=NOT_CANCELLED, force=False),
        ),
    ]
    return (tells if notifier else []) + closes


def _when(*states: str) -> EventTrigger:
    from prefect.events.schemas.automations import EventTrigger, Posture

    return EventTrigger(
        expect={RUN + state for state in states},
        match={"prefect.resource.id": RUN + "*"},
        match_related=_in_our_pools(),
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def _without(after: list[str], expect: list[str], within: timedelta, related: dict[str, Any]) -> EventTrigger:
    """Of each run: one of `after`, and then none of `expect` for that long."""
    from prefect.events.schemas.automations import EventTrigger, Posture

    return EventTrigger(
        after=set(after),
        expect=set(expect),
        match={"prefect.resource.id": RUN + "*"},
        match_related=related,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )


def _in_our_pools() -> dict[str, Any]:
    """Runs of deployments: whoever runs a flow at a terminal sees how it ends."""
    return {"prefect.resource.role": "work-pool", "prefect.resource.name": list(pools.POOLS.values())}


def _of_our_flows() -> dict[str, Any]:
    """The events that a run sends itself do not name its pool."""
    return {"prefect.resource.role": "flow", "prefect.resource.name": list(FLOWS)}


async def _ours(client: PrefectClient) -> Any:
    async for each in pages(client.read_automations):
        if TAG in each.tags and each.name.startswith("Socle : "):
            yield each


async def _block_id(client: PrefectClient, settings: Settings, *, keep: bool) -> Any:
    """Of the webhook to the notifier, if it says what it should; with `keep`, whatever it says."""
    from prefect.exceptions import ObjectNotFound

    try:
        there = await client.read_block_document_by_name(BLOCK, "webhook", include_secrets=True)
    except ObjectNotFound:
        return None
    return there.id if keep or there.data.get("url") == _address(settings) else None


async def _make_block(client: PrefectClient, settings: Settings) -> Any:
    from prefect.blocks.webhook import Webhook

    webhook = Webhook(url=_address(settings), headers={"content-type": "application/json"})  # type: ignore[arg-type]
    return await webhook.asave(BLOCK, overwrite=True, client=client)


def _address(settings: Settings) -> str:
    return f"{settings.notifier}/prefect"
