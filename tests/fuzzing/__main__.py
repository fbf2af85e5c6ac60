"""``PYTHONPATH=tests python -m fuzzing [NAME [libFuzzer's options]]``: one parser under Atheris.

Without a name it prints all of them. What it found is in a file ``crash-*`` of the present folder,
or where ``-artifact_prefix`` says.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["genrescope"]):
    from fuzzing.targets import targets


def main() -> None:
    """Fuzz a target from its seeds, for ever unless the options say otherwise."""
    known = targets()
    if len(sys.argv) < 2:
        print("\n".join(known))
        return
    if sys.argv[1] not in known:
        sys.exit(f"name one of {', '.join(known)}")
    target = known[sys.argv[1]]
    with tempfile.TemporaryDirectory() as corpus:
        for i, seed in enumerate(target.seeds):
            Path(corpus, f"seed-{i}").write_bytes(seed)
        atheris.Setup([sys.argv[0], *sys.argv[2:], corpus], target.fuzz_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
