"""Recipes: everything that decides what a network becomes, in one file.

Reads and checks them; what they say is done by `pagewash.training.recipe_run`.
"""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import pagewash.models
from pagewash.errors import InputError, MissingError, OptionError
from pagewash.files import access_errors, require_folder
from pagewash.models.page_autoencoder import PageAutoencoderOptions
from pagewash.training.page_loop import LoopOptions
from pagewash.training.photograph_pages import PHOTOGRAPHS
from pagewash.training.rendering.leaves import LeafOptions

SHIPPED = Path(pagewash.models.__file__).parent / "recipes"
"""The folder of the recipes that come with pagewash."""

FONT_FILES = (".ttf", ".otf", ".ttc", ".woff")

Options = TypeVar("Options")


@dataclass(frozen=True)
class CorpusOptions:
    """How many pages are made before the first step."""

    leaves: int = 1200
    """Rendered leaves of two pages each."""

    laid_over: int = 400
    """Clean pages laid over other dirty paper."""

    photographs: int = 0
    """Pages with a photograph."""

    surrounded: int = 0
    """Rendered pages that lie on a photograph."""

    validation_leaves: int = 24
    """Leaves on paper that is held back."""

    validation_laid_over: int = 16
    """Clean pages that are held back, laid over paper that is."""

    validation_photographs: int = 0
    """Pages with a photograph that is held back."""

    validation_surrounded: int = 0
    """Rendered pages, held back, that lie on one."""

    own_copies: int = 4
    """How often each clean page of the user's is aged."""

    leaf: LeafOptions = LeafOptions()
    """What leaves are made of."""


@dataclass(frozen=True)
class ChoiceOptions:
    """How the checkpoint is chosen: the rule is fixed before the run.

    Of the moving averages every so many steps, and the last one, the one ships whose root mean
    square error on pages held back, averaged over kinds of pages, is lowest.
    """

    every: int = 2000
    """Steps between two candidates."""

    crops: int = 4
    """Crops of each page held back, always the same ones."""

    calibration_steps: int = 12
    """As many steps' pages as are shown to the network for its ranges of activations in int8."""


@dataclass(frozen=True)
class Sources:
    """What pages are made of, and hashes of the lists of its files, to know it again by."""

    packages: tuple[str, ...] = ()
    """Debian packages of the fonts and photographs."""

    fonts: str = ""
    """SHA-256 of names and sizes of all font files."""

    photographs: str = ""
    """The same of all photographs."""

    data: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of names and sizes of all files, by the folder below the data folder."""


@dataclass(frozen=True)
class Recipe:
    """All that decides what a network becomes, but for the machine."""

    name: str
    """What the checkpoint calls itself."""

    network: PageAutoencoderOptions
    """Its shape; of a recipe with a start, that of the start."""

    loop: LoopOptions
    """How it learns."""

    shares: Mapping[str, float]
    """How often each kind of page is learned from, against the others."""

    start: str = ""
    """The model that it begins with, to learn the user's own pages; empty begins with nothing, and
    learns from what the data folder has."""

    corpus: CorpusOptions = CorpusOptions()
    """What it learns from."""

    choice: ChoiceOptions = ChoiceOptions()
    """How the checkpoint is chosen."""

    sources: Sources = Sources()
    """What pages are made of."""

    text_heights: tuple[float, float] = (15.0, 45.0)
    """Smallest and largest x-height in pixels at which pages are shown to it."""

    training_data: str = ""
    """What it learned from, for the card."""

    licence: str = ""
    """Under which terms the weights may be used."""

    attribution: str = ""
    """Whom the data asks to name."""


def read_recipe(name_or_path: str) -> Recipe:
    """Read a recipe that comes with pagewash, by its name, or another, by its path.

    Raises:
        MissingError: there is none of that name.
        InputError: it is no recipe; the message names what is wrong.
    """
    path = _find(name_or_path)
    try:
        with access_errors(str(path), "read"):
            content = tomllib.loads(path.read_text("utf-8"))
        return _recipe(content)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no recipe: {error}") from error


def at_share(recipe: Recipe, share: float) -> Recipe:
    """Scale a recipe: its steps, its corpus, and all that goes by them.

    Raises:
        OptionError: the share is none.
    """
    if not 0 < share <= 1:
        raise OptionError(f"a share of {share} is none; give more than 0 and at most 1")
    if share == 1:
        return recipe

    def part(whole: int) -> int:
        return max(round(whole * share), 1)

    loop, corpus, choice = recipe.loop, recipe.corpus, recipe.choice
    return replace(
        recipe,
        loop=replace(loop, steps=part(loop.steps), warmup=part(loop.warmup)),
        corpus=replace(
            corpus,
            leaves=part(corpus.leaves),
            laid_over=part(corpus.laid_over),
            photographs=part(corpus.photographs) if corpus.photographs else 0,
            surrounded=part(corpus.surrounded) if corpus.surrounded else 0,
        ),
        choice=replace(choice, every=part(choice.every)),
    )


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """Change the seed of everything: weights, order, and pages."""
    leaf = replace(recipe.corpus.leaf, seed=seed)
    return replace(
        recipe,
        loop=replace(recipe.loop, seed=seed),
        corpus=replace(recipe.corpus, leaf=leaf),
    )


def differing_sources(
    recipe: Recipe, data: Path, fonts: Sequence[Path], photographs: Sequence[Path]
) -> list[str]:
    """Say what is not as it was when the recipe was written: other files, other weights.

    Raises:
        AccessError: a folder that is needed is not there.
    """
    found = sources_at(recipe, data, fonts, photographs)
    differing = [
        f"{data / name} holds other files than the recipe's"
        for name, digest in recipe.sources.data.items()
        if found.data[name] != digest
    ]
    for what, folders in (("fonts", fonts), ("photographs", photographs)):
        if getattr(recipe.sources, what) not in ("", getattr(found, what)):
            named = ", ".join(map(str, folders))
            differing.append(f"{named} holds other {what} than the recipe's")
    return differing


def sources_at(
    recipe: Recipe, data: Path, fonts: Sequence[Path], photographs: Sequence[Path]
) -> Sources:
    """Return the sources of a recipe as they are on this machine."""
    return replace(
        recipe.sources,
        fonts=digest_of(fonts, FONT_FILES),
        photographs=digest_of(photographs, PHOTOGRAPHS) if recipe.corpus.photographs else "",
        data={name: digest_of([data / name]) for name in recipe.sources.data},
    )


def digest_of(folders: Sequence[Path], endings: tuple[str, ...] = ()) -> str:
    """SHA-256 of names and sizes of all files under some folders, with some endings only.

    Raises:
        AccessError: there is no such folder.
    """
    lines = []
    for folder in folders:
        require_folder(folder)
        lines += [
            f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n"
            for path in folder.rglob("*")
            if path.is_file() and (not endings or path.suffix.lower() in endings)
        ]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _find(name_or_path: str) -> Path:
    path = Path(name_or_path)
    if path.suffix != ".toml" and path.name == name_or_path:
        path = SHIPPED / f"{name_or_path}.toml"
    if not path.is_file():
        names = ", ".join(sorted(found.stem for found in SHIPPED.glob("*.toml")))
        raise MissingError(
            f"there is no recipe {name_or_path!r}; choose one of those that come with pagewash "
            f"({names}) or the path of a .toml file"
        )
    return path


def _recipe(content: dict[str, Any]) -> Recipe:
    seed = int(content.pop("seed", 0))
    corpus = dict(content.pop("corpus", {}))
    leaf = _options(LeafOptions, corpus.pop("leaf", {}))
    recipe = _options(
        Recipe,
        content
        | {
            "network": _options(PageAutoencoderOptions, content.get("network", {})),
            "loop": _options(LoopOptions, content.get("loop", {})),
            "corpus": replace(_options(CorpusOptions, corpus), leaf=leaf),
            "choice": _options(ChoiceOptions, content.get("choice", {})),
            "sources": _options(Sources, content.get("sources", {})),
        },
    )
    return with_seed(recipe, seed)


def _options(kind: type[Options], values: object) -> Options:
    """Return options from TOML, where tuples are lists.

    Raises:
        ValueError: an option is not known, or its value cannot be.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{values!r}: a table of options is wanted")
    known = get_type_hints(kind)
    if unknown := values.keys() - known.keys():
        raise ValueError(
            f"{', '.join(sorted(unknown))}: not known; there are {', '.join(sorted(known))}"
        )
    for name, value in values.items():
        if not _fits(value, known[name]):
            wanted = known[name] if get_args(known[name]) else known[name].__name__
            raise ValueError(f"{name} = {value!r}: it is to be of type {wanted}")
    return kind(
        **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    )


def _fits(value: object, kind: Any) -> bool:
    """Say whether a value from TOML does for an option of a type."""
    match get_origin(kind), get_args(kind):
        case None, _:
            accepted = (int, float) if kind is float else kind
            return isinstance(value, accepted) and not isinstance(value, bool)
        case _, (_, item) if isinstance(value, Mapping):
            return all(_fits(each, item) for each in value.values())
        case _, (item, rest) if rest is ... and isinstance(value, list):
            return all(_fits(each, item) for each in value)
        case _, items if isinstance(value, list) and len(value) == len(items):
            return all(map(_fits, value, items))
    return False
