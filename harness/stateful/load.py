"""What is bundled: the machines in ``scenarios/models``, and what they found once in ``scenarios/replays``."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from harness.resources import bundled
from harness.stateful.machine import LifeMachine
from harness.words.recording import Recording

MARKETPLACE = "marketplace"


def load_machine(name: str = MARKETPLACE) -> type[LifeMachine]:
    """The machine of the bundled model of that name."""
    return machine_in(bundled("scenarios") / "models" / f"{name}.py")


def machine_in(path: Path) -> type[LifeMachine]:
    """The one machine that a file defines. Raises what the file raises, and ``ValueError`` for none or several."""
    module_name = f"harness_models.{path.stem}"
    spec = spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[module_name] = module  # where Hypothesis looks up the sources of what it runs
    spec.loader.exec_module(module)
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, LifeMachine) and each.__module__ == module_name
    ]
    if len(found) != 1:
        raise ValueError(f"{path} defines {len(found)} machines, not one")
    return found[0]


def load_recordings() -> list[Recording]:
    """The schedule files of what models found once: they are run before anything new is made up."""
    return [Recording.load(path) for path in sorted((bundled("scenarios") / "replays").glob("*.json"))]
