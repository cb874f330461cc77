"""The pages that tests walk are all that there are."""

from tests import pages
from tests.house.test_every_page_needs_login import addresses


def test_every_address_is_walked(workspace, team_mate, local, settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    walked = {name.split(",")[0] for name in pages.fill(workspace, team_mate, local)}
    all_of_ours = {
        name
        for name, address in addresses()
        if not name.startswith("admin:") and "/api/" not in address and "/ajax-api/" not in address and name != "None"
    }

    assert all_of_ours - walked - set(pages.NO_PAGES) == set()
    assert set(pages.NO_PAGES) - all_of_ours == set()
    assert walked - all_of_ours == {"nothing here"}
