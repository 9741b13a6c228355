"""Tags as the records engine knows them."""

from __future__ import annotations

from typing import Final

from gardenos.crm.records import Entity, fields_of
from gardenos.crm.tags.models import LIMITS, NewTag, Tag, TagChanges

TAGS: Final = Entity(
    noun="tags",
    singular="tag",
    record=Tag,
    new=NewTag,
    changes=TagChanges,
    fields=fields_of(Tag, LIMITS, name={"match_column": "name_key", "sort_column": "name_key"}),
    search=("name",),
    unique={"tags_name_key": "name"},
    default_sort="name",
)
