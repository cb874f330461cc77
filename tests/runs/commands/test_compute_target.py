import pytest
from django.core.management import CommandError, call_command

from runs.models import ComputeTarget


def test_create_makes_an_enabled_target_with_its_limits(db: None) -> None:
    call_command("compute_target", "create", "gpu", "--slots", "3", "--memory-bytes", "1000000", "--run-as", "nobody")

    target = ComputeTarget.objects.get(name="gpu")
    assert (target.slots, target.memory_bytes, target.cpu_seconds, target.is_enabled) == (3, 1_000_000, None, True)
    assert target.run_as == "nobody"


def test_a_name_is_given_once(local: ComputeTarget) -> None:
    with pytest.raises(CommandError, match=r"name: .*already exists"):
        call_command("compute_target", "create", "local")


def test_a_target_has_a_slot_at_least(db: None) -> None:
    with pytest.raises(CommandError, match="slots: "):
        call_command("compute_target", "create", "gpu", "--slots", "0")


@pytest.mark.parametrize("name", ["a,b", "two words", "", "-x", "a/b"])
def test_a_name_that_could_not_be_written_in_a_list_is_refused(db: None, name: str) -> None:
    with pytest.raises(CommandError):
        call_command("compute_target", "create", name)


def test_disable_and_enable_switch_it(local: ComputeTarget) -> None:
    call_command("compute_target", "disable", "local")
    local.refresh_from_db()
    assert not local.is_enabled

    call_command("compute_target", "enable", "local")
    local.refresh_from_db()
    assert local.is_enabled


def test_a_target_is_made_or_set_to_refuse_what_it_lacks(local: ComputeTarget) -> None:
    call_command("compute_target", "create", "strict", "--refuses-conda-and-docker")
    assert ComputeTarget.objects.get(name="strict").refuses_conda_and_docker

    call_command("compute_target", "warn", "strict")
    assert not ComputeTarget.objects.get(name="strict").refuses_conda_and_docker

    call_command("compute_target", "refuse", "local")
    assert ComputeTarget.objects.get(name="local").refuses_conda_and_docker


def test_an_unknown_target_is_refused(local: ComputeTarget) -> None:
    with pytest.raises(CommandError, match="no compute target 'gpu'"):
        call_command("compute_target", "disable", "gpu")


def test_list_shows_slots_in_use(local: ComputeTarget, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("compute_target", "list")

    assert capsys.readouterr().out == "local\tenabled\t0 of 2 slots in use\n"
