"""only-service-role: nobody but the service may call what moves money. Judged from the catalog, not from histories.

PostgreSQL gives EXECUTE on every new function to PUBLIC, so a function that nobody mentioned is open to all. And one
whose ``search_path`` is not pinned, or does not name ``pg_temp`` last, can be made to read its caller's own tables
(PostgreSQL manual, CREATE FUNCTION, "Writing SECURITY DEFINER Functions Safely").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.words.verdict import Violation

ONLY_SERVICE_ROLE = "only-service-role"
SERVICE_ROLE = "service_role"
PUBLIC = "PUBLIC"

ROUTINES_SQL = """
select p.oid::regprocedure::text as signature,
       p.prosecdef as security_definer,
       p.prorettype in ('trigger'::regtype, 'event_trigger'::regtype) as is_trigger,
       (select substring(setting from '^search_path=(.*)$')
          from unnest(p.proconfig) as setting where setting like 'search_path=%%') as search_path,
       array(select 'PUBLIC' from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as entry
              where entry.grantee = 0 and entry.privilege_type = 'EXECUTE')
       || array(select r.rolname::text from pg_roles as r
                 where not r.rolsuper and r.oid <> p.proowner and r.rolname not like 'pg\\_%%'
                   and has_function_privilege(r.oid, p.oid, 'EXECUTE')
                 order by r.rolname) as executors
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
 where n.nspname = any(%(schemas)s)
   and not exists (select from pg_depend as d
                    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
 order by signature
"""
"""The routines of some schemas (parameter ``schemas``, an array of names), in the columns of ``Routine``. Those that an
extension brought along are left out."""

OWNERS_SQL = """
select distinct r.rolname::text as owner,
       exists (select from aclexplode(coalesce(
                   (select d.defaclacl from pg_default_acl as d
                     where d.defaclrole = r.oid and d.defaclobjtype = 'f' and d.defaclnamespace = 0),
                   acldefault('f', r.oid))) as entry
                where entry.grantee = 0 and entry.privilege_type = 'EXECUTE') as opens_to_public
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  join pg_roles as r on r.oid = p.proowner
 where n.nspname = any(%(schemas)s)
 order by owner
"""
"""The owners of those routines, in the columns of ``Owner``. Only the default privileges without a schema count: those
of a schema can add to them and never take away."""


@dataclass(frozen=True, slots=True)
class Routine:
    """``search_path`` is None when it is not pinned; ``executors`` are the roles, or PUBLIC, that may call it."""

    signature: str
    security_definer: bool
    is_trigger: bool
    search_path: str | None
    executors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """``opens_to_public``: the next function that this role creates is everybody's."""

    owner: str
    opens_to_public: bool


def check_grants(
    routines: Iterable[Routine],
    owners: Iterable[Owner],
    allowed: frozenset[str] = frozenset({SERVICE_ROLE}),
    executors: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> list[Violation]:
    """Every routine that others than ``allowed`` may call, every search path that a caller can bend.

    ``executors`` are roles that may call some routines besides, by name.
    """
    return [
        Violation(ONLY_SERVICE_ROLE, why, guilty) for why, guilty in _offences(routines, owners, allowed, executors)
    ]


def may_execute(role: str, signature: str, executors: Mapping[str, Collection[str]]) -> bool:
    """Is the routine of this signature (``shop.pay(uuid)``) among those that the role may call besides?"""
    return signature.partition("(")[0].rpartition(".")[2] in executors.get(role, ())


def _offences(
    routines: Iterable[Routine],
    owners: Iterable[Owner],
    allowed: frozenset[str],
    executors: Mapping[str, Collection[str]],
) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    for routine in routines:
        guilty = (("function", routine.signature),)
        others = [
            role
            for role in routine.executors
            if role not in allowed and not may_execute(role, routine.signature, executors)
        ]
        # A trigger function cannot be called; it runs for whoever may write the table.
        if others and not routine.is_trigger:
            who = PUBLIC if PUBLIC in others else ", ".join(others)
            yield f"{routine.signature} may be executed by {who}", (*guilty, ("role", who))
        if not is_pinned(routine.search_path):
            path = "not pinned" if routine.search_path is None else f"{routine.search_path}, without pg_temp at the end"
            yield f"the search_path of {routine.signature} is {path}", guilty
    for owner in owners:
        if owner.opens_to_public:
            yield (
                f"every function that {owner.owner} creates next may be executed by {PUBLIC}",
                (("owner", owner.owner),),
            )


def is_pinned(search_path: str | None) -> bool:
    """Pinned, with ``pg_temp`` named last; or empty, where every name must be qualified anyway."""
    if search_path is None:
        return False
    names = [name.strip().strip('"') for name in search_path.split(",")]
    return names == [""] or names[-1] == "pg_temp"
