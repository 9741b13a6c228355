"""Companies as the records engine knows them."""

from __future__ import annotations

from typing import Final

from gardenos.crm.companies.models import LIMITS, Company, CompanyChanges, NewCompany
from gardenos.crm.custom_fields import service as custom_fields
from gardenos.crm.likeness import service as likeness
from gardenos.crm.records import Entity, Include, fields_of
from gardenos.crm.views import service as views

COMPANIES: Final = Entity(
    noun="companies",
    singular="company",
    record=Company,
    new=NewCompany,
    changes=CompanyChanges,
    custom=custom_fields.typed,
    tagged_by="company_id",
    viewed=views.applied,
    likeness=likeness.COMPANIES,
    fields=fields_of(
        Company,
        LIMITS,
        name={"match_column": "name_key", "sort_column": "name_key"},
        domain={"match_column": "domain_key", "sort_column": "domain_key"},
    ),
    search=("name", "domain", "phone", "city", "external_id"),
    includes={"owner": Include("owner_id", "members")},
    unique={"companies_external_id_key": "external_id"},
)
