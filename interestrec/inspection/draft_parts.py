"""Parts of a drafted configuration: values, comments, questions and sentences that grow together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interestrec.inspection.commented_yaml import write_commented
from interestrec.inspection.event_roles import RoleChoice


@dataclass(frozen=True)
class DraftQuestion:
    """Something that the files do not tell."""

    key: str  # of the answer
    sentence: str
    choices: Mapping[str, str]  # answer -> what it means; the first one is taken without an answer

    @property
    def default(self) -> str:
        """The answer that is taken if nobody gives one."""
        return next(iter(self.choices))


@dataclass
class ConfigurationDraft:
    """A configuration with comments, the questions that are open, and sentences on what was found."""

    values: dict[str, Any] = field(default_factory=dict)
    comments: dict[tuple[str | int, ...], str] = field(default_factory=dict)
    remarks: dict[tuple[str | int, ...], list[str]] = field(default_factory=dict)
    questions: list[DraftQuestion] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def put(self, where: tuple[str | int, ...], value: Any, comment: str | None = None) -> None:
        """Set a value, creating the sections above it, with a comment."""
        target: Any = self.values
        for key in where[:-1]:
            target = target[int(key)] if isinstance(target, list) else target.setdefault(key, {})
        target[where[-1]] = value
        if comment:
            self.comments[where] = comment

    def choose(self, where: tuple[str | int, ...], choice: RoleChoice, value: Any = None) -> None:
        """Set the column that was chosen, with how sure it is as its comment."""
        self.put(where, choice.column if value is None else value, f"{choice.sureness}: {choice.why}")

    def remark(self, where: tuple[str | int, ...], *lines: str) -> None:
        """Add lines of comment above a key."""
        self.remarks.setdefault(where, []).extend(lines)

    def ask(self, question: DraftQuestion, where: tuple[str | int, ...], answers: Mapping[str, str]) -> str:
        """Return the answer to a question; an open one is noted above the key, with what was taken instead."""
        if question.key in answers:
            return answers[question.key]
        self.questions.append(question)
        others = "; ".join(
            f"{answer} = {meaning}" if meaning else answer for answer, meaning in question.choices.items()
        )
        self.remark(where, f"QUESTION: {question.sentence} ({others}). Without an answer: {question.default}.")
        return question.default

    def text(self, head: Sequence[str]) -> str:
        """Return the configuration as YAML below lines of comment."""
        return "".join(f"# {line}\n" for line in head) + write_commented(self.values, self.comments, self.remarks)


@dataclass(frozen=True)
class DraftPlace:
    """Where the configuration and its data are."""

    root: Path  # directory of the raw files, as the configuration names it
    workspace: Path
    encoder: Path
    has_encoder: bool
