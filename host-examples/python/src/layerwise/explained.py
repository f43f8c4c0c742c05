"""Explanations as text, for people.

Advice is what the component knows of this case, else what the catalogue says about the code.
"""

from __future__ import annotations

from collections.abc import Iterable

from .rules import Rule
from .text import cut, escape
from .types import Explanation, Finding

#: The longest value that is shown whole.
LONGEST = 200
#: How the advice of codes begins that nothing has to be done about.
_NOTHING = "nothing to do"


class Catalogue:
    """What codes mean, from `Instance.rules.all()`."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = {rule.code: rule for rule in rules}

    def meaning(self, finding: Finding) -> str:
        """What the code of a finding says."""
        rule = self._rules.get(finding.code)
        return finding.code if rule is None else rule.meaning

    def advice(self, finding: Finding) -> str | None:
        """What to do about a finding; `None` if there is nothing to do."""
        if finding.hint:
            return finding.hint
        rule = self._rules.get(finding.code)
        if rule is None or not rule.advice or rule.advice.startswith(_NOTHING):
            return None
        return rule.advice

    def text(self, explanation: Explanation) -> str:
        """An explanation as lines: the outcome, then the candidate that came nearest, or every
        finding where there is none. Safe for a terminal.
        """
        lines = self._lines(explanation.summary, "")
        shown = [explanation.nearest] if explanation.nearest else explanation.findings
        for finding in shown:
            lines += self._lines(finding, "  ")
        more = len(explanation.findings) - len(shown)
        if more > 0:
            lines.append(f"  and {more} more")
        return "".join(f"{line}\n" for line in lines)

    def _lines(self, finding: Finding, indent: str) -> list[str]:
        about = f" ({escape(finding.subject)})" if finding.subject else ""
        then = "then " if finding.cascade else ""
        lines = [f"{indent}{then}{finding.code}: {escape(self.meaning(finding))}{about}"]
        for one in finding.differences:
            have, want = _quoted(one.have), _quoted(one.want)
            lines.append(f"{indent}  {escape(one.path)}: have {have}, want {want}")
        if advice := self.advice(finding):
            lines.append(f"{indent}  advice: {escape(advice)}")
        return lines


def _quoted(value: str | None) -> str:
    return "nothing" if value is None else f'"{cut(escape(value), LONGEST)}"'
