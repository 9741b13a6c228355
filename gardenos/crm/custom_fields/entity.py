"""Custom fields as the records engine knows them."""

from __future__ import annotations

from typing import Final

from gardenos.crm.custom_fields import service
from gardenos.crm.custom_fields.models import (
    LIMITS,
    CustomField,
    CustomFieldChanges,
    NewCustomField,
)
from gardenos.crm.records import Entity, fields_of

CUSTOM_FIELDS: Final = Entity(
    noun="custom_fields",
    path="custom-fields",
    singular="custom_field",
    record=CustomField,
    new=NewCustomField,
    changes=CustomFieldChanges,
    fields=fields_of(CustomField, LIMITS),
    search=("key", "label"),
    unique={"custom_fields_key_key": "key"},
    checks={
        "custom_fields_options": (
            "options",
            "do not fit the kind: choices are no two the same, a relation has `entity`",
        ),
        "custom_values_fit": ("kind", "is not that of values that are stored"),
    },
    default_sort="entity,position,key",
    prepare=service.prepare,
    prepare_change=service.prepare_change,
)
