"""All campaigns and entries, in the order of the papers."""

from __future__ import annotations

import re

from papers import p000, p001, p002, p003, p004
from papers.entry import Campaign, Entry

MODULES = (p000, p001, p002, p003, p004)
CAMPAIGNS: dict[str, Campaign] = {campaign.name: campaign for module in MODULES for campaign in module.CAMPAIGNS}


def place(entry: Entry) -> tuple[str, bool, int]:
    """Paper, figures before tables, number."""
    number = re.search(r"\d+$", entry.id)
    assert number is not None
    return entry.id[:3], "table" in entry.id, int(number[0])


ENTRIES: tuple[Entry, ...] = tuple(sorted((entry for module in MODULES for entry in module.ENTRIES), key=place))
