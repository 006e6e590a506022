"""Where a model's weights lie: what can be told of a model without torch.

A run that has nothing to do needs no more; `pagewash.inference.checkpoint` knows what they are.
"""

from pathlib import Path

import pagewash.models
from pagewash.errors import MissingError

SHIPPED = Path(pagewash.models.__file__).parent / "weights"
"""The folder of the checkpoints that come with pagewash."""


def shipped_models() -> list[str]:
    """Return the names of the checkpoints that come with pagewash, in alphabetical order."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def find_model(name_or_path: str | Path) -> Path:
    """Return the weights' file of a shipped model's name, or of a path.

    Raises:
        MissingError: there is no such model.
    """
    path = Path(name_or_path)
    if path.suffix != ".safetensors" and path.name == str(name_or_path):
        path = SHIPPED / f"{name_or_path}.safetensors"
    if not path.is_file():
        raise MissingError(
            f"there is no model {str(name_or_path)!r}; choose one of the shipped ones "
            f"({', '.join(shipped_models()) or 'none'}) or the path of a .safetensors file"
        )
    return path


def absolute_model(name_or_path: str) -> str:
    """The same model from whatever folder it is asked for: a shipped one's name, or a whole path.

    Raises:
        MissingError: there is no such model.
    """
    path = find_model(name_or_path)
    return name_or_path if path.parent == SHIPPED else str(path.absolute())
