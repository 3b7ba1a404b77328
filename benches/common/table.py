"""Markdown tables."""


def _cell(value):
    return f"{value:.1f}" if isinstance(value, float) else str(value).replace("|", "\\|")


def markdown(heads, rows):
    """A table; floats get one decimal place."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
