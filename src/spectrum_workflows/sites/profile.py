"""Site profiles: what a TOML file may say about where to compute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from spectrum_workflows.credentials import NAMED
from spectrum_workflows.sites.batch.system import BatchSystem
from spectrum_workflows.sites.batch.systems import SYSTEMS, BatchKind
from spectrum_workflows.sites.policy import Policies
from spectrum_workflows.specs import FrozenModel
from spectrum_workflows.storage import Stores

ASSIGNED = re.compile(r"(\w+)=\S")

SENT = {"auth", "header", "headers", "cookie", "cookies"}
"""Storage options that file systems send with every request, which may hold whatever opens it."""


def _seconds(value: Any) -> Any:
    from dask.utils import parse_timedelta

    try:
        return parse_timedelta(value)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError('not a duration: give seconds, or words such as "10 minutes"') from None


Seconds = Annotated[float, BeforeValidator(_seconds, json_schema_input_type=str | float)]
"""A duration: a number of seconds, or ``"10 minutes"``, ``"1 hour"``."""


class Cluster(FrozenModel):
    """How workers come about.

    Keys that are not named here go to the deployment library under its own
    names.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    insecure: bool = False
    """Talk plain TCP (or HTTP).  Whoever reaches the scheduler, every user of this machine at
    least, can then run code as you."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys that are handed on unchanged."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _no_credentials(self) -> Self:
        for name in _names(self.options):
            if NAMED.search(name):
                raise ValueError(f"{name} is a credential, and profiles hold none")
        return self


def _names(value: Any) -> Iterator[str]:
    """Every key in nested tables."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _names(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _names(inner)


class Local(Cluster):
    """Worker processes on this machine; other keys are `distributed.LocalCluster`'s."""

    kind: Literal["local"]
    """Worker processes on this machine."""


class Batch(Cluster):
    """Batch jobs; other keys are those of `dask_jobqueue.SLURMCluster`, or `HTCondorCluster`."""

    kind: BatchKind
    """Jobs of a batch system: SLURM, or HTCondor."""

    @property
    def system(self) -> BatchSystem:
        """The batch system's commands."""
        return SYSTEMS[self.kind]


class Gateway(Cluster):
    """A cluster that a Dask Gateway server starts.

    Keys that are not named here are the cluster options of that server.
    """

    kind: Literal["gateway"]
    """A cluster of a Dask Gateway server."""
    address: str
    """URL of the server."""
    proxy_address: str | int | None = None
    """Where the scheduler is reached, if not at ``address``; as for `dask_gateway.Gateway`."""
    public_address: str | None = None
    """Where a browser reaches the server, if not at ``address``; as for `dask_gateway.Gateway`."""
    auth: str | None = None
    """Kind of authentication, such as ``"jupyterhub"``; passwords and tokens come from Dask's own
    configuration and environment, never from a profile."""


class Existing(FrozenModel):
    """A scheduler that somebody else has started."""

    kind: Literal["existing"]
    """A scheduler that is there already."""
    address: str
    """``tls://host:port``; anything else needs ``insecure``."""
    tls_ca_file: str | None = None
    """File of the authority's certificate; Dask's own configuration is asked if left out."""
    tls_client_cert: str | None = None
    """File of the client's certificate; Dask's own configuration is asked if left out."""
    tls_client_key: str | None = None
    """File of the client's key; Dask's own configuration is asked if left out."""
    insecure: bool = False
    """Take an address that is not encrypted."""

    @property
    def files(self) -> dict[str, str]:
        """The certificate files that are named, below the names of `distributed.Security`."""
        named = {
            "tls_ca_file": self.tls_ca_file,
            "tls_client_cert": self.tls_client_cert,
            "tls_client_key": self.tls_client_key,
        }
        return {k: str(Path(v).expanduser()) for k, v in named.items() if v is not None}


class Workers(FrozenModel):
    """How many workers, and how long to wait for them."""

    count: Annotated[int, Field(ge=1)] | None = None
    """A fixed number of workers; without it, what the deployment library starts by itself (one per
    core of this machine), else 1."""
    min: Annotated[int, Field(ge=1)] = 1
    """Fewest workers; with ``max``, as many as there is work for."""
    max: Annotated[int, Field(ge=1)] | None = None
    """Most workers, instead of a fixed ``count``."""
    patience: Annotated[Seconds, Field(gt=0)] = 300.0
    """Seconds without any worker, or without any that computes, after which a run is given up."""
    silence: Annotated[Seconds, Field(gt=0)] = 120.0
    """Seconds without a sign of life after which a worker is taken for hung and replaced."""
    partition_timeout: Annotated[Seconds, Field(gt=0)] | None = None
    """Seconds after which a partition is taken from its worker and given to another, once; without
    it 20 times the forecast, or what others of its kind took if that is longer; at least ten
    minutes, and half an hour while none of its kind is done."""
    renew_before: Annotated[Seconds, Field(ge=0)] = 300.0
    """Seconds before its time limit at which a job is replaced by a new one; longer than the
    longest partition."""

    @model_validator(mode="after")
    def _count_or_bounds(self) -> Workers:
        if self.count is not None and self.max is not None:
            raise ValueError("give count, or min and max, not both")
        if self.max is None and self.min > 1:
            raise ValueError("min needs max")
        if self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min}) is larger than max ({self.max})")
        return self


class Software(FrozenModel):
    """What a batch job does before its worker starts."""

    modules: tuple[str, ...] = ()
    """Loaded with ``module load``, in this order."""
    prologue: tuple[str, ...] = ()
    """Shell lines, after the modules: activate an environment, set limits."""
    python: str | None = None
    """The interpreter; without it the one that submits, which on a shared file system is the same
    for all."""
    image: str | None = None
    """An Apptainer image; ``python`` is then the one inside."""
    image_options: tuple[str, ...] = ()
    """Options of ``apptainer exec``, such as ``--bind /scratch``."""

    @field_validator("prologue")
    @classmethod
    def _no_credentials(cls, prologue: tuple[str, ...]) -> tuple[str, ...]:
        for name in (name for line in prologue for name in ASSIGNED.findall(line)):
            if NAMED.search(name):
                raise ValueError(f"{name} would stand in the job script; workers inherit it")
        return prologue


class LedgerSpec(FrozenModel):
    """What a run keeps of its work below ``results``, to go on from if it is ended."""

    enabled: bool = True
    """Whether anything is kept and used."""
    after: Seconds = 30.0
    """Time from which on a run keeps what it has finished; shorter ones write nothing."""


def _date(value: Any) -> Any:
    """A day, month or year as text, from text or from TOML's own kind of date."""
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, str) and value:
        try:
            date.fromisoformat(f"{value}{'-01-01'[len(value) - 4 :] if len(value) < 10 else ''}")
        except ValueError:
            raise ValueError('not a date: give "2026", "2026-11" or "2026-11-28"') from None
    return value


class EnergySpec(FrozenModel):
    """What is known of the energy of a place; without it a model is used, and no carbon told."""

    watts_per_core: Annotated[float, Field(gt=0, le=100)] | None = None
    """Watts that a core takes while it computes, its share of the memory included; without it
    they follow from the processor's model."""
    watts_source: str = ""
    """Who says so, or how it was measured."""
    pue: Annotated[float, Field(ge=1, le=10)] | None = None
    """Energy of the building over that of its computers; without it the computers' alone is
    told."""
    carbon_intensity: Annotated[float, Field(ge=0, le=5000)] | None = None
    """Grams of CO2 equivalent per kWh; without it no carbon is told."""
    carbon_source: str = ""
    """Who says so; needed with ``carbon_intensity``."""
    carbon_date: Annotated[
        str,
        BeforeValidator(_date, json_schema_input_type=str),
    ] = ""
    """The day, month or year that it is of, as ``2026-11``; needed with ``carbon_intensity``."""

    @model_validator(mode="after")
    def _with_source(self) -> Self:
        if self.watts_per_core is not None and not self.watts_source:
            raise ValueError("watts_per_core needs watts_source: who says so")
        if self.carbon_intensity is None:
            return self
        if 0 < self.carbon_intensity < 1:
            raise ValueError("carbon_intensity is in grams per kWh, not in kg")
        for name in ("carbon_source", "carbon_date"):
            if not getattr(self, name):
                raise ValueError(
                    f"carbon_intensity needs {name}: a figure is of somebody's and of a time"
                )
        return self


class AccountingSpec(FrozenModel):
    """What usage records of runs at a place say of it."""

    site: str = ""
    """Name under which accounting knows the place, such as in GOCDB."""
    project: str = ""
    """Project, group or virtual organisation that is charged."""


SiteName = Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*$", max_length=40)]

Distance = Annotated[float, Field(ge=0, allow_inf_nan=False)]

RESERVED = ("session", "elsewhere")
"""Names of places that are no site: where a run is begun, and where no site is."""


class Federation(FrozenModel):
    """Several sites that compute one run together, each with its own cluster and stores."""

    sites: dict[SiteName, str]
    """The sites, by the names they have in this table: each a profile's name, or its file beside
    this one.  The first is asked first for what several have."""
    stores: dict[str, SiteName] = Field(default_factory=dict)
    """URL prefixes, and the site at which each lies, besides the sites' own data roots; a name
    that is not in ``sites`` is a place that only stores."""
    distances: dict[SiteName, dict[SiteName, Distance]] = Field(default_factory=dict)
    """How far it is from the stores of a site to the workers of another, in any unit: the cost of
    a byte.  It holds for the way back, too, unless that is given; 1 where nothing is said."""

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        if len(self.sites) < 2:
            raise ValueError("sites: name at least two, or use the profile of the one")
        for name in (*self.sites, *self.stores.values()):
            if name in RESERVED:
                raise ValueError(f"{name!r} names no site: choose another name")
        known = {*self.sites, *self.stores.values(), "elsewhere"}
        pairs = [(a, b) for a, row in self.distances.items() for b in row]
        for a, b in pairs:
            for name in (a, b):
                if name not in known:
                    names = ", ".join(sorted(known))
                    raise ValueError(f"distances: no site {name!r}; there are {names}")
            if a == b:
                raise ValueError(f"distances: within {a!r} it is 0 anyway; leave it out")
        return self

    @property
    def pairs(self) -> dict[tuple[str, str], float]:
        """The distances by pairs of names."""
        return {(a, b): far for a, row in self.distances.items() for b, far in row.items()}


class Site(FrozenModel):
    """A place to compute."""

    description: str = ""
    """What the place is, in a few words."""
    data: str
    """Root URL of the input."""
    results: str
    """Root URL of the folders of finished runs."""
    spool: str = ""
    """Folder of this machine that keeps a result until it is below ``results``; empty for one of
    the user's own."""
    cluster: Annotated[Local | Batch | Gateway | Existing, Field(discriminator="kind")] | None = (
        None
    )
    """How workers come about; if left out, everything runs in this process."""
    federation: Federation | None = None
    """Several sites instead of a cluster: one run over all of them."""
    workers: Workers = Workers()
    """How many, and how long to wait."""
    ledger: LedgerSpec = LedgerSpec()
    """What is kept of a run that is ended."""
    energy: EnergySpec = EnergySpec()
    """Power, PUE and carbon intensity, for the accounts of a run."""
    accounting: AccountingSpec = AccountingSpec()
    """Names for usage records, see `spectrum usage`."""
    notify: str = ""
    """Told at the end of a submitted run: a command, which gets JSON on its standard input and a
    line as its argument, or a URL to which that JSON is posted; it holds no secret."""
    software: Software = Software()
    """Modules, shell lines and interpreter of batch jobs."""
    storage: dict[str, dict[str, str | int | float | bool]] = Field(default_factory=dict)
    """Options per URL prefix: those of `storage.filesystems`, and any other of the prefix's fsspec
    file system; no credentials."""
    replicas: tuple[str, ...] = ()
    """URL prefixes, the most wanted first: the order in which copies of catalogued data are tried
    here."""
    policy: Policies = ()
    """What a run may take, and where its data may go: rules that it must keep before anything is
    queued.  A profile that extends another keeps that one's rules, too."""

    @field_validator("storage")
    @classmethod
    def _no_credentials(cls, storage: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in (name for options in storage.values() for name in options):
            if NAMED.search(name) or name.lower() in SENT:
                raise ValueError(
                    f"{name} is a credential, and profiles hold none: leave it to the "
                    "library's own chain (environment, provider profile, token file)"
                )
        return storage

    @model_validator(mode="after")
    def _software_is_for_jobs(self) -> Site:
        if self.software != Software() and not isinstance(self.cluster, Batch):
            kinds = " or ".join(f'"{kind}"' for kind in SYSTEMS)
            raise ValueError(f"[software] is for batch jobs: it needs [cluster] kind = {kinds}")
        return self

    @model_validator(mode="after")
    def _sites_have_their_own(self) -> Site:
        own = {"cluster": self.cluster is not None, "workers": self.workers != Workers()}
        for name in (name for name in own if self.federation is not None and own[name]):
            message = f"[{name}] stands in the profile of each site of a federation, not beside it"
            raise ValueError(message)
        return self

    @property
    def stores(self) -> Stores:
        """The storage options as the frozen value that travels with tasks."""
        pairs = ((prefix, tuple(sorted(o.items()))) for prefix, o in self.storage.items())
        return Stores(tuple(sorted(pairs)), self.replicas)
