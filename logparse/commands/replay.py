"""``logparse replay``: real Keras trainings that show what logparse explains, and their scores."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from logparse.commands.common import (
    FINE,
    NOTHING,
    SOME,
    choice_option,
    count,
    say,
    writing_options,
)
from logparse.errors import UsageError
from logparse.options import Arguments, Command, Parser, hint

if TYPE_CHECKING:
    from logparse.replay.process import Outcome

ACTIONS = ("list", "run", "score", "like")

WORDS = {
    "run": "Name scenarios, or all; logparse replay list shows them",
    "score": "Name the folder that was run into",
    "like": "Name a log",
}
"""What the actions need to be told."""

DEFAULT_ROOT = "replays"
"""Folder that ``run`` writes into if none is named."""


def _options(parser: Parser) -> None:
    from logparse.replay.process import DEVICES, KERAS
    from logparse.replay.scenario import SCALES

    choice_option(parser, "--scale", SCALES, "run: seconds, minutes, or the question's own size.")
    choice_option(parser, "--device", DEVICES, "run, like: where to train.")
    choice_option(parser, "--with", KERAS, "run, like: Keras 3, or Keras 2 as tf-keras.")
    parser.option(
        "--weights",
        choices=("imagenet",),
        metavar="imagenet",
        help="run: download weights and start from them. Default: random.",
    )
    parser.option("--seed", metavar="N", type=count, default=1, help="run: of everything random.")
    parser.option(
        "--set",
        metavar="NAME=N",
        type=_change,
        action="append",
        default=[],
        help="run: change a number of the scale, like epochs=1; can be given again.",
    )
    parser.option(
        "--memory", metavar="MB", type=count, help="run: most that data in memory may take."
    )
    parser.option("--batch-size", metavar="N", type=count, help="like: if the log does not tell.")
    parser.option("--resume", action="store_true", help="run: keep what is done, do the rest.")
    parser.option(
        "-o",
        "--output",
        metavar="PATH",
        help=f"run: folder, {DEFAULT_ROOT} by default. like: FILE.txt or .json; score: also .html "
        "and, of one run, .png.",
    )
    writing_options(parser)


def _change(text: str) -> tuple[str, float]:
    """The value of ``--set``, as ``argparse`` asks for it."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not like epochs=1") from None


COMMAND = Command(
    "Train what a user asked about, with the truth of every batch.",
    "logparse replay run epoch-jump --scale small",
    Arguments(
        "ACTION...",
        "list [NAME...]; run NAME... (or all); score FOLDER; like LOG.",
        least=1,
    ),
    _options,
)


def run(given: Namespace) -> int:
    """Do one of ``ACTIONS``.

    Raises:
        UsageError: there is no such action, or it lacks its words.
    """
    action, *words = given.arguments
    if action not in ACTIONS:
        raise UsageError(f"no action {action!r}{hint(action, ACTIONS)}")
    if not words and action in WORDS:
        raise UsageError(f"{action} what? {WORDS[action]}")
    return {"list": _list, "run": _run, "score": _score, "like": _like}[action](given, words)


def _list(given: Namespace, words: list[str]) -> int:
    """Print what there is of scenarios: all, or those that are named."""
    from logparse.replay.jobs import jobs_of
    from logparse.replay.scenarios import scenario
    from logparse.reports.layout import wrap
    from logparse.reports.terminal import WIDTH

    lines = []
    for name in dict.fromkeys(job.scenario for job in jobs_of(words or ["all"], given.scale)):
        one = scenario(name)
        lines.append(f"{name} (seed {one.seed})" if one.seed else name)
        for text in (f"Asked: {one.question}", f"Shown: {one.answer}"):
            lines += [f"  {line}" for line in wrap(text, WIDTH - 2)]
        for key, variant in one.variants.items():
            lines.append(f"  {name}/{key}")
            lines += [f"    {line}" for line in wrap(variant.says, WIDTH - 4)]
        lines.append("")
    text = "\n".join(lines[:-1])
    return _write(given, {"": lambda: text, "txt": lambda: text + "\n"})


def _run(given: Namespace, words: list[str]) -> int:
    from logparse.replay.trainer import run as train
    from logparse.reports.safe import visible

    root = given.output or DEFAULT_ROOT
    outcome: Outcome = train(
        words,
        root,
        scale=given.scale,
        device=given.device,
        keras=getattr(given, "with"),
        weights=given.weights,
        seed=given.seed,
        changes=dict(given.set),
        memory=given.memory * 1_000_000 if given.memory else None,
        resume=given.resume,
        force=given.force,
        say=_teller(given),
    )
    for path in [*outcome.kept, *outcome.made]:
        print(path)
    for name, reason in outcome.failed.items():
        say(f"logparse: {name}: {visible(reason)}\n")
    if outcome.made and not given.quiet:
        say(f"next: logparse replay score {visible(str(root))}\n")
    if not outcome.failed:
        return FINE
    return SOME if outcome.made or outcome.kept else NOTHING


def _teller(given: Namespace) -> Callable[[str], None]:
    """What tells what goes on: on the error stream, unless ``--quiet``."""
    from logparse.reports.safe import visible

    return lambda text: None if given.quiet else say(f"{visible(text)}\n")


def _score(given: Namespace, words: list[str]) -> int:
    from logparse.replay import scores
    from logparse.replay.scoring import scores_of

    runs = scores_of(words)
    found = [score for _, one in runs for score in one]

    def page() -> str:
        from logparse.replay.page import page

        return "".join(page(runs))

    def picture() -> bytes:
        from logparse.replay.figures import picture, truth_figure

        if len(runs) > 1:
            raise UsageError(
                f"{given.output}: a picture shows one run, and there are {len(runs)}; name the "
                "folder of one, or write .html"
            )
        return picture(truth_figure(runs[0][0]))

    forms = {"": scores.text, "txt": scores.text, "json": scores.document}
    return _write(
        given,
        {suffix: partial(form, found) for suffix, form in forms.items()}
        | {"html": page, "png": picture},
    )


def _like(given: Namespace, words: list[str]) -> int:
    """Time the network of a log without input.

    Raises:
        UsageError: more than one log is named.
    """
    import json

    from logparse.replay.likeness import like, text

    if len(words) > 1:
        raise UsageError("like takes one log")
    found = like(
        words[0],
        batch_size=given.batch_size,
        device=given.device,
        keras=getattr(given, "with"),
        say=_teller(given),
    )
    return _write(
        given,
        {
            "": lambda: text(found),
            "txt": lambda: text(found) + "\n",
            "json": lambda: json.dumps(found.to_dict(), indent=2) + "\n",
        },
    )


def _write(given: Namespace, forms: dict[str, Callable[[], str | bytes]]) -> int:
    """Print the text, or write a file in the form that its name's end says.

    Raises:
        UsageError: there is no such form.
    """
    from logparse.files import write_atomic

    if given.output in (None, "-"):
        print(forms[""]())
        return FINE
    suffix = given.output.rpartition(".")[2]
    if suffix not in forms:
        known = ", ".join(f".{form}" for form in forms if form)
        raise UsageError(f"{given.output}: name a file that ends in {known}")
    with write_atomic(given.output, force=given.force) as file:
        made = forms[suffix]()
        file.write(made if isinstance(made, bytes) else made.encode())
    return FINE
