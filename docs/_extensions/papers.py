"""The table of papers, as Markdown. Its rows are those of docs/papers.csv."""

import csv

STATUS = {"works": "works", "partly": "partly", "no": "not provided"}


def rows(path):
    """Rows of the table, as dicts."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cell(row):
    """What to type, and what is missing."""
    typed = f"`{row['type']}`" if row["type"] else ""
    lacking = f"Missing: {row['missing']}." if row["missing"] else ""
    if row["missing"].startswith("nothing"):  # a survey or a finding
        lacking = f"N{row['missing'][1:]}."
    return " ".join(filter(None, [typed, lacking]))


def markdown(path):
    """One table for each topic, in the order of the file, and the counts above them."""
    table = rows(path)
    counts = {status: sum(row["status"] == status for row in table) for status in STATUS}
    lines = [
        f"{len(table)} papers: {counts['works']} work, {counts['partly']} work partly, "
        f"{counts['no']} are not provided.",
        "",
    ]
    for topic in dict.fromkeys(row["topic"] for row in table):
        lines += [f"## {topic}", "", "```{rst-class} papers", "```", ""]
        lines += [
            "| paper | what it does | status | what to type, what is missing |",
            "|---|---|---|---|",
        ]
        for row in table:
            if row["topic"] == topic:
                parts = row["title"], row["mechanism"], STATUS[row["status"]], cell(row)
                lines.append("| " + " | ".join(part.replace("|", "\\|") for part in parts) + " |")
        lines.append("")
    return "\n".join(lines)
