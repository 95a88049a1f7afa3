"""From argv to a verb, from an error to one line and an exit code: 0 done, 1 failed, 2 bad usage, 130 interrupted."""

import difflib
import importlib
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

import muybridge
from muybridge.core.errors import InvalidInput, MuybridgeError, invalid
from muybridge.core.logs import configure

PROGRAM = "muybridge"
HELP_COLUMNS = 120
INTERRUPTED = 130  # convention of shells: 128 + SIGINT

# Verb: what it does. A verb's module is imported when it is used, so that help is answered at once.
VERBS = {
    "generate": "Make films or pictures from prompts.",
    "plan": "Say what a film takes, and the fastest way that fits.",
    "bench": "Measure this machine with a model, beside what was predicted.",
    "curate": "Turn raw footage into training shards.",
    "caption": "Caption films, pictures, or what was curated.",
    "review": "Look at curated clips and judge them in the browser.",
    "worlds": "Look into the training worlds, or write their clips.",
    "encode": "Encode films, pictures and captions for training, once.",
    "train": "Train a model from a recipe, or continue.",
    "inspect": "Say what a checkpoint holds.",
    "convert": "Write a checkpoint in another layout or precision.",
    "fetch": "Fetch an asset into the cache ahead of time.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    configure()
    if argv is None:  # as a program: being told to stop is being interrupted, so that nothing half-written stays
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if words and words[0] in VERBS:
            return _run(_verb_app(words[0]), words[1:], program=f"{PROGRAM} {words[0]}")
        if words and not words[0].startswith("-"):
            raise _unknown_verb(words[0])
        return _run(_root_app(), words or ["--help"], program=PROGRAM)
    except MuybridgeError as error:
        return _failed(str(error), error.exit_code)
    except typer.TyperException as error:
        verb = f" {words[0]}" if words and words[0] in VERBS else ""
        return _failed(f"{error.format_message().rstrip('.')}; {PROGRAM}{verb} --help says more.", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _failed("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        return 1
    except OSError as error:
        return _failed(f"{error.filename or 'file'}: {error.strerror or error}", 1)
    except MemoryError:
        return _failed("out of memory; use fewer frames or a smaller size", 1)


def _run(app: typer.Typer, words: Sequence[str], *, program: str) -> int:
    code = app(args=list(words), prog_name=program, standalone_mode=False)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _failed(message: str, code: int) -> int:
    line = " ".join(message.split())
    print(line if code == INTERRUPTED else f"error: {line}", file=sys.stderr)
    return code


def _unknown_verb(verb: str) -> InvalidInput:
    close = difflib.get_close_matches(verb, VERBS, n=1)
    remedy = f"did you mean {close[0]}" if close else f"use one of {', '.join(VERBS)}"
    return invalid(f"{PROGRAM} {verb}", "no such verb", remedy)


class GroupedCommand(TyperCommand):
    """A verb whose help lists its options by their `rich_help_panel`, in plain text."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Groups in the order in which options name them, those without a name last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
            if record := parameter.get_help_record(ctx):
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(record)
        for title, records in sorted(groups.items(), key=lambda group: group[0] == "Options"):
            with formatter.section(title):
                formatter.write_dl(records)


def _verb_app(verb: str) -> typer.Typer:
    """A verb by itself: its module's `command`, with the module's docstring as help."""
    module = importlib.import_module(f"muybridge.cli.{verb}")
    app = _app()
    app.command(cls=GroupedCommand, help=_help(module.__doc__))(module.command)
    return app


def _root_app() -> typer.Typer:
    """All verbs with their one line, none of their modules."""
    app = _app()
    app.callback(
        invoke_without_command=True,
        help="Films from sentences, and all that belongs to it.\n\nmuybridge VERB --help says more.",
    )(_options)
    for verb, summary in VERBS.items():
        app.command(verb, help=summary)(_listed)
    return app


def _app() -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_COLUMNS},
    )


def _listed() -> None:
    """Stands in the listing for a verb, whose own module runs it."""


def _options(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        print(f"{PROGRAM} {muybridge.__version__}")
        raise typer.Exit


def _help(text: str | None) -> str:
    """A module's docstring with its examples kept line by line."""
    parts = (text or "").strip().split("\n\n")
    return "\n\n".join(f"\b\n{part}" if part.startswith("  ") else part for part in parts)
