"""Check the prose: links between files lead somewhere, and the three packages carry one version."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def tracked(*patterns: str) -> list[Path]:
    """The files git tracks that match; vendored ones are somebody else's prose."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    return [ROOT / name for name in names if "/vendor/" not in name and (ROOT / name).exists()]


def broken_links() -> list[str]:
    """Relative links of Markdown files that lead nowhere."""
    return [
        f"{page.relative_to(ROOT)}: link to {target} leads nowhere"
        for page in tracked("*.md")
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]


def different_versions() -> list[str]:
    """The three distributions carry one version, and hopscope asks for exactly that."""
    texts = {p.parent.name: p.read_text(encoding="utf-8") for p in sorted(ROOT.glob("packages/*/pyproject.toml"))}
    versions = {name: re.findall(r'^version = "(.+)"$', text, re.MULTILINE)[0] for name, text in texts.items()}
    pins = re.findall(r'"(?:inchworm|meshwire)[^"=]*==([^"]+)"', texts["hopscope"])
    if len(set(versions.values()) | set(pins)) == 1:
        return []
    return [f"versions differ: {versions}, hopscope asks for {pins}"]


def main() -> None:
    problems = [*broken_links(), *different_versions()]
    print("\n".join(problems) or "docs: links and versions are right")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
