"""Write the page about all rules, from the rules themselves and the programs that trigger them.

``python -m concurtrace.diagnosis.page`` writes ``docs/rules.md`` of the checkout it is run in.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from concurtrace import discovery
from concurtrace.diagnosis import Part, Rule
from concurtrace.discovery import Kind

CORPUS = Path("tests/rule_corpus")
PAGE = Path("docs/rules.md")

_HEAD = """\
# Rules

Every rule judges what was recorded and answers `warning`, `info`, `ok`, `not-applicable` (with what
to record) or `failed` (the rule itself crashed; the others go on). Findings with one cause are told
as one story, ordered by what they cost on the critical path at most.

This page is made from the rules: `python -m concurtrace.diagnosis.page`.
"""


@dataclass(frozen=True)
class Limit:
    """A threshold of a rule: its name, its value as written, and the reason for it."""

    name: str
    value: str
    reason: str


def limits(source: str) -> tuple[Limit, ...]:
    """Read the constants of a module; the reason is the text beneath, "" where there is none."""
    body = ast.parse(source).body
    found = []
    for one, beneath in pairwise([*body, ast.Pass()]):
        if not isinstance(one, ast.Assign):
            continue
        name = ast.unparse(one.targets[0]).strip("()")
        if name.isidentifier() and (not name.isupper() or name.startswith("_") or name == "RULE"):
            continue
        reason = ""
        if isinstance(beneath, ast.Expr) and isinstance(beneath.value, ast.Constant):
            reason = _one_line(str(beneath.value.value))
        found.append(Limit(name, ast.unparse(one.value), reason))
    return tuple(found)


def page(corpus: Path = CORPUS) -> str:
    """Write the page."""
    names = discovery.modules(Kind.RULE)
    blocks = [_HEAD, "\n".join(f"- [`{name}`](#{name}): {_first(name)}" for name in names)]
    blocks += [_rule(name, corpus) for name in names]
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _rule(name: str, corpus: Path) -> str:
    module = discovery.load(Kind.RULE, name)
    rule: Rule = module.RULE
    blocks = [f"## `{name}`", inspect.cleandoc(module.__doc__ or "")]
    found = limits(inspect.getsource(module))
    if found:
        rows = "\n".join(f"| `{one.name}` | `{one.value}` | {one.reason} |" for one in found)
        blocks.append(f"| limit | value | reason |\n|---|---|---|\n{rows}")
    needs = [part.name.lower() for part in Part if part in rule.needs]
    if needs:
        blocks.append(f"Needs: {', '.join(needs)}.")
    program = corpus / f"{name.replace('-', '_')}.py"
    if program.is_file():
        blocks.append(
            "<details><summary>A program that triggers it, and its healthy twin</summary>\n\n"
            f"```python\n{_program(program)}\n```\n\n</details>"
        )
    return "\n\n".join(blocks)


def _program(path: Path) -> str:
    """Return a program without what starts it."""
    return path.read_text("utf-8").partition('\nif __name__ == "__main__":')[0].strip()


def _first(name: str) -> str:
    return (discovery.load(Kind.RULE, name).__doc__ or "").strip().partition("\n")[0]


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), "utf-8")
