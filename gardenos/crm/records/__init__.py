"""What all records have in common: a noun is its models, a declaration, and what is particular to it.

A noun declares an `Entity` and adds `router(entity)` to the API. Inside the server the same is
done by the functions of `records.service` in a session: `find`, `get`, `create`, `change`,
`delete`, `restore`, each as `(session, entity, ...)`. They take values as a model's `given()`
gives them and answer with `Stored`, which holds what the role may see.

What is particular to a noun it says in the declaration: `prepare` and `prepare_change` see the
values before they are stored and may add to them or refuse, `before_delete` may refuse, `custom`
knows what the agency's own fields are. Its own routes it adds to its router.
"""

from gardenos.crm.records.entity import Entity, Include, known
from gardenos.crm.records.fields import Field, fields_of
from gardenos.crm.records.models import Fields, Record

__all__ = ["Entity", "Field", "Fields", "Include", "Record", "fields_of", "known"]
