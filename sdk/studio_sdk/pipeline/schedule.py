"""Schedules: published pipelines that are run by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union

from studio_sdk.exceptions import NotAvailable, UserErrorException
from studio_sdk.transport import quote

if TYPE_CHECKING:
    from studio_sdk.core.workspace import Workspace
    from studio_sdk.pipeline.runs import PipelineRun

# Azure ML's names of time zones are those of Windows; these are the usual ones in IANA's words.
_ZONES = {
    "UTC": "UTC",
    "GMT Standard Time": "Europe/London",
    "W. Europe Standard Time": "Europe/Berlin",
    "Central Europe Standard Time": "Europe/Budapest",
    "Romance Standard Time": "Europe/Paris",
    "E. Europe Standard Time": "Europe/Chisinau",
    "Russian Standard Time": "Europe/Moscow",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver",
    "Pacific Standard Time": "America/Los_Angeles",
    "India Standard Time": "Asia/Kolkata",
    "China Standard Time": "Asia/Shanghai",
    "Tokyo Standard Time": "Asia/Tokyo",
    "AUS Eastern Standard Time": "Australia/Sydney",
}


class TimeZone:
    """Time zones by Azure ML's names; any name of IANA, such as `Europe/Rome`, is good too."""

    UTC = "UTC"
    GMTStandardTime = "GMT Standard Time"
    WEuropeStandardTime = "W. Europe Standard Time"
    CentralEuropeStandardTime = "Central Europe Standard Time"
    RomanceStandardTime = "Romance Standard Time"
    EasternStandardTime = "Eastern Standard Time"
    CentralStandardTime = "Central Standard Time"
    MountainStandardTime = "Mountain Standard Time"
    PacificStandardTime = "Pacific Standard Time"
    IndiaStandardTime = "India Standard Time"
    ChinaStandardTime = "China Standard Time"
    TokyoStandardTime = "Tokyo Standard Time"
    AUSEasternStandardTime = "AUS Eastern Standard Time"


class ScheduleRecurrence:
    """Every so many minutes, hours, days, weeks or months.

    >>> ScheduleRecurrence(frequency="Week", interval=1, week_days=["Monday"], time_of_day="6:30")
    """

    def __init__(
        self,
        frequency: str,
        interval: int = 1,
        start_time: Union[str, datetime, None] = None,
        time_zone: Optional[str] = None,
        hours: Optional[List[int]] = None,
        minutes: Optional[List[int]] = None,
        week_days: Optional[List[str]] = None,
        time_of_day: Optional[str] = None,
    ) -> None:
        if time_of_day and (hours or minutes):
            raise UserErrorException("Give time_of_day, or hours and minutes: one of the two.")
        self.frequency = frequency
        self.interval = interval
        self.start_time = start_time
        self.time_zone = time_zone
        if time_of_day:
            hour, minute = _time_of_day(time_of_day)
            hours, minutes = [hour], [minute]
        self.hours = hours
        self.minutes = minutes
        self.week_days = week_days
        self.time_of_day = time_of_day

    def validate(self) -> None:
        """Leave the check to the server, which names what is wrong when a schedule is made."""

    def _body(self) -> Dict[str, Any]:
        fields = ("frequency", "interval", "hours", "minutes", "week_days")
        body: Dict[str, Any] = {
            "recurrence": {name: getattr(self, name) for name in fields if getattr(self, name) is not None}
        }
        zone = zone_name(self.time_zone)
        if self.time_zone:
            body["time_zone"] = zone
        if self.start_time:
            body["starts_at"] = instant(self.start_time, zone)
        return body


class Schedule:
    """When a published pipeline is run by itself.

    >>> recurrence = ScheduleRecurrence(frequency="Day", interval=1, time_of_day="6:30", time_zone="Europe/Rome")
    >>> Schedule.create(workspace, "every morning", published.id, "nightly", recurrence=recurrence)
    """

    def __init__(self, workspace: Workspace, document: Dict[str, Any]) -> None:
        self.workspace = workspace
        self._document = document

    @staticmethod
    def create(
        workspace: Workspace,
        name: str,
        pipeline_id: str,
        experiment_name: str,
        recurrence: Optional[ScheduleRecurrence] = None,
        description: Optional[str] = None,
        pipeline_parameters: Optional[Mapping[str, Any]] = None,
        wait_for_provisioning: bool = False,
        wait_timeout: int = 3600,
        datastore: Any = None,
        polling_interval: int = 5,
        data_path_parameter_name: Optional[str] = None,
        continue_on_step_failure: Optional[bool] = None,
        path_on_datastore: Optional[str] = None,
        _workflow_provider: Any = None,
        _service_endpoint: Any = None,
        *,
        cron: Optional[str] = None,
        time_zone: Optional[str] = None,
        start_time: Union[str, datetime, None] = None,
        end_time: Union[str, datetime, None] = None,
        catch_up: bool = False,
        tags: Optional[Mapping[str, Any]] = None,
    ) -> Schedule:
        """Make a schedule, by a recurrence or a cron expression.

        >>> Schedule.create(workspace, "at six", published.id, "nightly", cron="0 6 * * MON-FRI")
        """
        from studio_sdk.pipeline.runs import given

        if datastore is not None:
            raise NotAvailable("Studio has no datastores to poll; give a recurrence or a cron expression.")
        zone = zone_name(time_zone or (recurrence.time_zone if recurrence else None))
        body = {
            **(recurrence._body() if recurrence is not None else {"cron": cron}),
            **given(
                workspace=workspace.name,
                name=name,
                pipeline_id=pipeline_id,
                experiment=experiment_name,
                description=description,
                parameters=dict(pipeline_parameters or {}),
                tags=tags,
                time_zone=zone,
                starts_at=instant(start_time, zone) if start_time else None,
                ends_at=instant(end_time, zone) if end_time else None,
                catches_up=catch_up,
            ),
        }
        return Schedule(workspace, workspace._client.post("/schedules", body))

    @staticmethod
    def get(workspace: Workspace, id: str, _workflow_provider: Any = None, **kwargs: Any) -> Schedule:
        """Return the schedule of that id.

        >>> Schedule.get(workspace, id="0f8fad5b-d9cb-469f-a165-70867728950e")
        """
        return Schedule(workspace, workspace._client.get(f"/schedules/{quote(id)}"))

    @staticmethod
    def list(
        workspace: Workspace,
        active_only: bool = True,
        pipeline_id: Optional[str] = None,
        pipeline_endpoint_id: Optional[str] = None,
        **kwargs: Any,
    ) -> List[Schedule]:
        """Return the schedules, newest first; paused and ended ones only if asked for.

        >>> [each.name for each in Schedule.list(workspace, active_only=False)]
        """
        params = {"workspace": workspace.name, "pipeline_id": pipeline_id, "limit": 200}
        found = [Schedule(workspace, item) for item in workspace._client.pages("/schedules", params)]
        return [each for each in found if not active_only or each.status == "Active"]

    @staticmethod
    def get_schedules_for_pipeline_id(workspace: Workspace, pipeline_id: str, **kwargs: Any) -> List[Schedule]:
        """Return all schedules of one published pipeline.

        >>> Schedule.get_schedules_for_pipeline_id(workspace, published.id)
        """
        return Schedule.list(workspace, active_only=False, pipeline_id=pipeline_id)

    @property
    def id(self) -> str:
        """The id."""
        return str(self._document["id"])

    @property
    def name(self) -> str:
        """The name."""
        return str(self._document["name"])

    @property
    def description(self) -> str:
        """The description."""
        return str(self._document["description"])

    @property
    def pipeline_id(self) -> str:
        """The id of the published pipeline."""
        return str(self._document["pipeline_id"])

    @property
    def status(self) -> str:
        """Active, Paused or Ended."""
        return str(self._document["status"])

    @property
    def recurrence(self) -> Optional[ScheduleRecurrence]:
        """The recurrence; None where there is a cron expression."""
        held = self._document["recurrence"]
        if held is None:
            return None
        return ScheduleRecurrence(
            **held, start_time=self._document["starts_utc"], time_zone=self._document["time_zone"]
        )

    @property
    def cron(self) -> str:
        """The cron expression; empty where there is a recurrence."""
        return str(self._document["cron"])

    @property
    def next_run_time(self) -> Optional[str]:
        """When it is due next; None if it is paused or has ended."""
        found: Optional[str] = self._document["next_utc"]
        return found

    @property
    def error_message(self) -> Optional[str]:
        """Why the latest run was refused; None if it was not."""
        ticks = self.workspace._client.get(f"{self._path}/ticks", {"limit": 1})["items"]
        return str(ticks[0]["reason"]) if ticks and ticks[0]["outcome"] == "refused" else None

    def disable(self, wait_for_provisioning: bool = False, wait_timeout: int = 3600) -> None:
        """Pause it.

        >>> schedule.disable()
        """
        self._document = self.workspace._client.post(f"{self._path}/pause", repeatable=True)

    def enable(self, wait_for_provisioning: bool = False, wait_timeout: int = 3600) -> None:
        """Let it go on. What came while it was paused is not made up for.

        >>> schedule.enable()
        """
        self._document = self.workspace._client.post(f"{self._path}/resume", repeatable=True)

    def delete(self) -> None:
        """Remove it. Its runs stay.

        >>> schedule.delete()
        """
        self.workspace._client.request("DELETE", self._path)

    def update(
        self,
        name: Optional[str] = None,
        description: Optional[str] = None,
        recurrence: Optional[ScheduleRecurrence] = None,
        pipeline_parameters: Optional[Mapping[str, Any]] = None,
        status: Optional[str] = None,
        wait_for_provisioning: bool = False,
        wait_timeout: int = 3600,
        cron: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        """Change what is named; the rest stays.

        >>> schedule.update(recurrence=ScheduleRecurrence(frequency="Hour", interval=6))
        """
        changes: Dict[str, Any] = {"name": name, "description": description, "cron": cron}
        if pipeline_parameters is not None:
            changes["parameters"] = dict(pipeline_parameters)
        changes = {key: value for key, value in changes.items() if value is not None}
        changes.update(recurrence._body() if recurrence is not None else {})
        self._document = self.workspace._client.patch(self._path, changes)
        if status is not None:
            self.enable() if status == "Active" else self.disable()

    def get_pipeline_runs(self) -> List[PipelineRun]:
        """Return its runs, newest first.

        >>> [run.id for run in schedule.get_pipeline_runs()]
        """
        from studio_sdk.pipeline.runs import PipelineRun

        found = self.workspace._runs({}, properties={"azureml.scheduleid": self.id})
        return [PipelineRun._at(self.workspace, run._known()) for run in found]

    def get_last_pipeline_run(self) -> Optional[PipelineRun]:
        """Return its latest run; None where there is none yet.

        >>> schedule.get_last_pipeline_run()
        """
        from studio_sdk.pipeline.runs import PipelineRun

        found = next(iter(self.workspace._runs({}, properties={"azureml.scheduleid": self.id})), None)
        return None if found is None else PipelineRun._at(self.workspace, found._known())

    @property
    def _path(self) -> str:
        return f"/schedules/{quote(self.id)}"

    def __repr__(self) -> str:
        return f"Schedule(Name: {self.name},\nId: {self.id},\nStatus: {self.status},\nPipeline Id: {self.pipeline_id})"


def zone_name(given: Any) -> str:
    """Return the time zone in IANA's words; UTC where none is given."""
    name = str(getattr(given, "value", given) or "UTC")
    return _ZONES.get(name, name)


def instant(given: Union[str, datetime], zone: str) -> str:
    """Return a time as ISO 8601 with an offset; without one of its own it is read in `zone`."""
    try:
        at = given if isinstance(given, datetime) else datetime.fromisoformat(str(given).replace("Z", "+00:00"))
    except ValueError:
        raise UserErrorException(f"{given!r} is no time; expected one such as 2026-11-23T06:30.") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=_zone(zone))
    return at.isoformat()


def _zone(name: str) -> Any:
    if name == "UTC":
        return timezone.utc
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UserErrorException(f"{name!r} is no time zone; expected a name such as Europe/Rome.") from None


def _time_of_day(given: str) -> List[int]:
    hour, _, minute = given.partition(":")
    if not (hour.isdigit() and minute.isdigit()):
        raise UserErrorException(f"{given!r} is no time of day; expected one such as 6:30.")
    return [int(hour), int(minute)]
