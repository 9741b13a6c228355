"""Saved views as the records engine knows them."""

from __future__ import annotations

from typing import Final

from gardenos.crm.records import Entity, fields_of
from gardenos.crm.views import service
from gardenos.crm.views.models import LIMITS, NewView, View, ViewChanges

VIEWS: Final = Entity(
    noun="views",
    singular="view",
    record=View,
    new=NewView,
    changes=ViewChanges,
    fields=fields_of(View, LIMITS),
    search=("name",),
    default_sort="entity,name",
    prepare=service.prepare,
    prepare_change=service.prepare_change,
)
