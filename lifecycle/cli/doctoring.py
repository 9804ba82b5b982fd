"""`autosort doctor`: what is well, what is not, and what to do."""

import typer
from rich.console import Console
from rich.markup import escape

from lifecycle.cli.output import JsonOption, reporting

_COLOURS = {"good": "green", "bad": "bold red", "unused": "dim"}


def doctor(as_json: JsonOption = False) -> None:
    """Look at database, disk, device, Modal, the Hub and W&B: each good, bad or unused. Exit code 1 if any is bad."""
    from lifecycle.doctor.checks import is_well
    from lifecycle.doctor.examination import examine_all
    from registry.settings import RegistrySettings

    with reporting(as_json) as output:
        checks = list(examine_all(RegistrySettings()))

        def render(console: Console) -> None:
            for each in checks:
                colour = _COLOURS[each.state.value]
                console.print(f"[{colour}]{each.state.value:<7}[/] {each.name:<9} {escape(each.fact)}", highlight=False)
                if each.remedy:
                    console.print(f"{'':18}[bold]{escape(each.remedy)}[/]", highlight=False)

        output.show({"good": is_well(checks), "checks": [each.as_json() for each in checks]}, render)
        if not is_well(checks):
            raise typer.Exit(1)
