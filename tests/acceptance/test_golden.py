"""Golden cases as people and scripts see them."""

import re
from pathlib import Path

from registry.settings import RegistrySettings
from tests.support.command_line import CommandLine


def test_evaluate_and_report_show_each_case_before_and_after(
    trained_autosort: CommandLine, trained_settings: RegistrySettings, tmp_path: Path
) -> None:
    run, file = trained_autosort.run, trained_settings.home / "golden.yaml"
    assert run("evaluate", "v2").document["golden"] is None

    known_case = "{song: song-00001, must_not: [kitchen-light-at-2-am], within: 99}"
    file.write_text(f"- {known_case}\n- {{song: Nobody's, must: [One more hill]}}\n")
    document = run("evaluate", "v2").document
    known, unknown = document["golden"]["cases"]
    assert (document["golden"]["passed"], document["golden"]["failed"]) == (0, 2)
    assert known["must_not"][0]["playlist"] == "Kitchen light at 2 a.m."
    assert (known["must_not"][0]["rank"] > 0, unknown["must"][0]["rank"]) == (True, None)
    assert (document["golden_before"]["version"], document["golden_before"]["failed"]) == ("v1", 2)

    shown = trained_autosort.show("evaluate", "v2").stdout
    assert "Golden cases: 0 of 2 pass" in shown
    assert re.search(rf"Kitchen light at 2 a\.m\. (\d+→)?{known['must_not'][0]['rank']}\b", shown)
    assert "Nobody's: No song of the catalogue is called 'Nobody's'." in shown

    page = tmp_path / "report.html"
    reported = run("report", "v2", "--out", str(page)).document["golden"]
    assert [each["reason"] for each in reported] == [each["reason"] for each in document["golden"]["cases"]]
    assert [each["before"] for each in reported] == [False, False]
    assert "No song of the catalogue" in page.read_text()

    file.write_text("- {song: song-00001}\n")
    refused = run("evaluate", "v2", code=1).document
    assert (refused["error"], "case 1 ('song-00001')" in refused["message"]) == ("BadInput", True)
