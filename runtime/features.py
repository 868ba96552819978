"""The catalogue: quantities that core loggers measure, with the names and units that files use for them.

A model's features are a `FeatureSet`, an ordered choice of quantities. To add a quantity, an alias or a unit, add it
here and nowhere else. Names are compared by their letters and digits only, ignoring
case. A unit may follow the name in parentheses, or after the last separator (``depth_cm``, ``RHOB.K/M3``). Aliases are
in order of preference. They are the column headings of IODP's LIMS reports, LILY, ODP's Janus, Geotek's MSCL and well
logs (LAS), and common short forms of these.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

Transform = Literal["none", "signed_log", "log1p"]
"""What the scaler does before it standardises: nothing, ``sign(x) * log1p(|x|)``, or ``log1p(x)``."""
TRANSFORMS: tuple[Transform, ...] = get_args(Transform)
"""All transforms, in the order in which the graphs of a bundle handle them."""

_NAMES = 1 << 14  # the same names are looked up many times, in one scan and in the next


@dataclass(frozen=True)
class Quantity:
    """A quantity that a scan measures.

    Attributes
    ----------
    name : str
        The published name (IODP LIMS column heading, where there is one).
    unit : str
        The unit that the models were trained with.
    aliases : tuple of str
        Other names, reduced to their `letters`, in order of preference.
    units : mapping of str to Fraction
        Exact factor that converts a value to ``unit``, by the `unit_key` of each known unit.
    plausible : tuple of float
        Lowest and highest plausible value, in ``unit``. A value outside is probably in another unit.
    transform : {"none", "signed_log", "log1p"}
        What a model's scaler does with the values before it standardises them; ``log1p`` is undefined at -1 and below.
    instrument : str
        The instrument that measures it. The quantities of one instrument are missing together where it fails.
    short : str
        Short name for printed tables and ``--map``; empty if the name itself is short.
    point_sensor_aliases : tuple of str
        Names of the same quantity from a point sensor, whose values are not comparable: used only if mapped.
    aliases_with_unit : tuple of str
        Names whose usual unit is another one: used only if the file states a known unit.
    """

    name: str
    unit: str
    aliases: tuple[str, ...]
    units: Mapping[str, Fraction]
    plausible: tuple[float, float]
    transform: Transform = "none"
    instrument: str = ""
    short: str = ""
    point_sensor_aliases: tuple[str, ...] = field(default=())
    aliases_with_unit: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        low, high = self.plausible
        if not low < high:
            raise ValueError(f"{self.name}: the plausible range {low:g} to {high:g} is not one")
        if self.transform == "log1p" and low <= -1:
            raise ValueError(
                f"{self.name}: log1p is undefined at -1 and below, but the plausible range begins at {low:g}"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names of the quantity, reduced to their `letters`, in order of preference."""
        return (letters(self.name), *self.aliases, *self.aliases_with_unit)

    @cached_property
    def heading(self) -> str:
        """The name with the unit in parentheses, for a column of a table: a scan's reader finds both in it again."""
        return self.name if self.unit_in(self.name) else f"{self.name} ({self.unit})"

    @property
    def is_never_0(self) -> bool:
        """Whether 0 is no value of the quantity, but what blank storage reads as: density, velocity."""
        return self.plausible[0] > 0

    def rank(self, name: str) -> int | None:
        """Return how well a column's name matches: 0 is the best match, None is no match."""
        for candidate in spellings(name):
            if candidate in self.names:
                return self.names.index(candidate)
        return None

    def needs_unit(self, name: str) -> bool:
        """Return whether a column with this name is used only if it has a known unit."""
        rank = self.rank(name)  # "Ca" needs one, "Ca (XRF)" does not
        return rank is not None and self.names[rank] in self.aliases_with_unit

    def is_point_sensor(self, name: str) -> bool:
        """Return whether a column's name denotes this quantity as measured by a point sensor."""
        return not set(spellings(name)).isdisjoint(self.point_sensor_aliases)

    def unit_in(self, name: str) -> str | None:
        """Return the unit after the quantity in a name, but not a part of a known name; None if there is none."""
        for bare, unit in (split_unit(name), split_suffix(name)):
            is_part = letters(name) in self.names and letters(unit)  # the "(GRA)" of a name, not "(%)"
            if unit and (self.factor(unit) is not None or (not is_part and self._knows(bare))):
                return unit
        return None

    def contradiction(self, name: str, unit: str | None) -> str:
        """Return how a column's name and its stated unit contradict each other; empty if they do not."""
        named = self.unit_in(name)
        if not unit or not named or self.factor(named) in (None, self.factor(unit)):
            return ""
        return f"is in {named!r} by its name, and in {unit!r} by its attribute"

    def factor(self, unit: str) -> Fraction | None:
        """Return the factor from ``unit`` to the model's unit, or None if the unit is not known."""
        return self.units.get(unit_key(unit))

    def _knows(self, bare: str) -> bool:
        return letters(bare) in self.names


@lru_cache(_NAMES)
def letters(name: str) -> str:
    """Reduce a name to its letters, digits and asterisks (b* is not blue), in lower case."""
    return re.sub(r"[^0-9a-z*]", "", name.casefold())


def unit_key(unit: str) -> str:
    """Reduce a unit to a common spelling: lower case, no spaces, dots or power signs; ``g/cm³`` becomes ``g/cm3``."""
    return re.sub(r"[\s^.*·_]", "", unit.casefold().replace("³", "3").replace("−", "-").replace("⁻", "-"))


@lru_cache(_NAMES)
def split_unit(name: str) -> tuple[str, str]:
    """Split ``"Depth (cm)"`` into ``("Depth", "cm")``; the unit is empty if there is no trailing parenthesis."""
    match = re.fullmatch(r"\s*(.*?)\s*[(\[]([^()\[\]]*)[)\]]\s*", name)
    return (match[1], match[2].strip()) if match and match[1] else (name, "")


@lru_cache(_NAMES)
def split_suffix(name: str) -> tuple[str, str]:
    """Split ``"depth_cm"`` into ``("depth", "cm")``; the unit is empty if the name does not end in one."""
    match = UNIT_SUFFIX.fullmatch(name.strip())
    return (match[1], match[2]) if match else (name, "")


UNIT_SUFFIX = re.compile(
    r"(.*?[^\s_.,])[\s_.,]+"
    r"(k?m|cm|mm|ft|feet|(?:centi|milli)?met(?:re|er)s?|gm?[_/]?cc|g[_/]c3|gm?[_/]?cm(?:\*\*|\^)?-?3"
    r"|kg[_/]?m(?:\*\*|\^)?-?3|k[_/]m3|k?m/s|k?m_?s-1|ohm[_.\-]?m|cps|g?api|(?:10(?:\*\*|\^)?-?[568][_ ]?)?si"
    r"|si[ _]?x?[ _]?10(?:\*\*|\^)?-?[568]|iu)",
    re.IGNORECASE,
)
"""A name that ends in a unit: the name, and the unit."""


@lru_cache(_NAMES)
def spellings(name: str) -> tuple[str, str, str]:
    """Reduce a name to its `letters`: all of it, without a unit in parentheses, and without a unit at its end."""
    return letters(name), letters(split_unit(name)[0]), letters(split_suffix(name)[0])


def _units(factor: Fraction | int, spellings: str) -> dict[str, Fraction]:
    return dict.fromkeys((unit_key(spelling) for spelling in spellings.split(",")), Fraction(factor))


_STATED_NOTHING = {"": Fraction(1)}
_COLOUR_UNITS = _STATED_NOTHING | _units(1, "0-255, 8-bit level, 8-bit, 8 bit, uint8, level, counts, dn, rgb")

DENSITY = Quantity(
    "Bulk density (GRA)",
    "g/cm3",
    (
        "bulkdensity", "grabulkdensity", "bulkdensitygrape", "gradensity", "gammadensity", "gammaraydensity",
        "grapedensity", "gammaattenuationdensity",
        "wetbulkdensity", "wetdensity", "saturatedbulkdensity", "gra", "grape", "den", "density", "dens",
        "density1", "den1", "rhob", "wetgammaraydensity", "wetgammaraydensitysat", "densitywetbulk", "wbd",
    ),
    _STATED_NOTHING
    | _units(1, "g/cm3, g/cc, gm/cc, gm/cm3, g cm-3, gm cm-3, gcc, gmcc, gcm3, gmcm3, g/c3, g/ml, kg/l, t/m3")
    | _units(Fraction(1, 1000), "kg/m3, kg m-3, kgm3, k/m3"),
    (0.3, 4.0),  # what the published table kept
    instrument="density",
    short="density",
)  # fmt: skip
SUSCEPTIBILITY = Quantity(
    "Magnetic susceptibility (instr. units)",
    "instr. units",
    (
        "magneticsusceptibility", "magsus", "magsusc", "magsuscept", "magneticsusc", "loopms", "msloop",
        "loopmagneticsusceptibility", "msl", "ms", "ms1", "susceptibility", "msus", "msusc", "suscept",
        "magneticsuscept", "correctedsuscept",  # Janus: the corrected one is often blank, so the raw one comes first
    ),
    _STATED_NOTHING | _units(1, "instr. units, instrument units, instr. unit, instrument unit, instr., instr, iu"),
    (-1000.0, 20_000.0),  # published: -471 to 6,775
    transform="signed_log",
    instrument="MS",
    short="MS",
    point_sensor_aliases=(
        "hiresms", "pointms", "mspoint", "msp", "ms2e", "ms2k", "ms2f", "magneticsusceptibilitypoint",
        "pointmagneticsusceptibility",
    ),
    aliases_with_unit=(  # usually in SI
        "volumesusceptibility", "volumemagneticsusceptibility", "magneticsusceptibilityvolume", "kappa",
    ),
)  # fmt: skip
GAMMA = Quantity(
    "NGR total counts (cps)",
    "cps",
    (
        "ngrtotalcounts", "ngrtotal", "ngr", "naturalgammaradiation", "naturalgamma", "naturalgammacounts",
        "totalcounts", "ngam", "ngamma", "natgamma",
    ),
    _STATED_NOTHING | _units(1, "cps, counts/s, counts/sec, counts/second, counts per second, c/s, 1/s, s-1"),
    (-10.0, 1000.0),  # published: -1 to 292
    transform="signed_log",
    instrument="NGR",
    short="NGR",
    aliases_with_unit=("gammaray", "gr", "gamma", "totalgamma"),  # usually in gAPI
)  # fmt: skip
RED = Quantity("R", "0-255", ("red", "rgbr", "meanr", "rmean"), _COLOUR_UNITS, (0.0, 255.0), "log1p", "camera")
GREEN = Quantity("G", "0-255", ("green", "rgbg", "meang", "gmean"), _COLOUR_UNITS, (0.0, 255.0), "log1p", "camera")
BLUE = Quantity("B", "0-255", ("blue", "rgbb", "meanb", "bmean"), _COLOUR_UNITS, (0.0, 255.0), "log1p", "camera")

COLOURS = (RED, GREEN, BLUE)

POINT_SUSCEPTIBILITY = Quantity(
    "Magnetic susceptibility, point (instr. units)",
    "instr. units",
    SUSCEPTIBILITY.point_sensor_aliases,
    SUSCEPTIBILITY.units,
    SUSCEPTIBILITY.plausible,
    transform="signed_log",
    instrument="point MS",
    short="MSP",
)
VELOCITY = Quantity(
    "P-wave velocity",
    "m/s",
    (
        "pwavevel", "pwvel", "pwvelocity", "vp", "pvel", "pvelocity", "pwv", "pwavevelocityx",
        "pwavevelocityy", "pwavevelocityz", "velocity", "vel", "compressionalvelocity", "compressionalwavevelocity",
        "sonicvelocity",
    ),
    _STATED_NOTHING
    | _units(1, "m/s, m s-1, ms-1, m/sec, metres/s, meters/s")
    | _units(1000, "km/s, km s-1, kms-1, km/sec, mm/us, mm/µs")
    | _units(Fraction(3048, 10_000), "ft/s, ft/sec"),
    (300.0, 9000.0),  # air to peridotite
    instrument="P-wave",
    short="Vp",
)  # fmt: skip
RESISTIVITY = Quantity(
    "Electrical resistivity",
    "ohm m",
    ("resistivity", "res", "ncr", "eres", "elecres", "ncresistivity", "noncontactresistivity"),
    _STATED_NOTHING
    | _units(1, "ohm m, ohm.m, ohm-m, ohmm, ohm*m, ohm metre, ohm meter, ohms m, ohm metres, ohm meters, Ω m, Ωm, Ω-m"),
    (0.0, 10_000.0),
    "log1p",
    "resistivity",
    short="Res",
)
POROSITY = Quantity(
    "Fractional porosity",
    "fraction",
    ("fractionalporositysat", "fp", "porosityfraction"),
    _STATED_NOTHING
    | _units(1, "fraction, v/v, vol/vol, m3/m3, -, frac")
    | _units(Fraction(1, 100), "%, vol%, vol.%, percent, p.u., pu, pct"),
    (-0.1, 1.1),
    instrument="density",  # computed from it
    short="FP",
    aliases_with_unit=("porosity", "phi", "por"),  # a fraction in some files, per cent in others
)
LIGHTNESS = Quantity(
    "L*",
    "0-100",
    ("reflectancel*", "cielabl*", "lstar", "ciel*", "l*d65"),
    _STATED_NOTHING | _units(1, "0-100, %, -"),
    (0.0, 100.0),
    instrument="spectrophotometer",
)
GREY_REFLECTANCE = Quantity(
    "Grey reflectance",
    "%",
    ("grayreflectance", "greyscalereflectance", "grayscalereflectance", "totalreflectance"),
    _STATED_NOTHING | _units(1, "%, percent, pct") | _units(100, "fraction, 0-1"),
    (0.0, 100.0),
    instrument="spectrophotometer",
    short="Grey",
)


def _opponent(letter: str) -> Quantity:
    """Return one of the two axes of L*a*b* colour that are 0 for grey."""
    return Quantity(
        f"{letter}*",
        "CIELAB",
        (f"reflectance{letter}*", f"cielab{letter}*", f"{letter}star", f"cie{letter}*", f"{letter}*d65"),
        _STATED_NOTHING | _units(1, "CIELAB, -"),
        (-128.0, 128.0),
        instrument="spectrophotometer",
    )


GREEN_TO_RED, BLUE_TO_YELLOW = _opponent("a"), _opponent("b")


def _spectral(name: str, unit: str, aliases: tuple[str, ...], symbol: str, highest: float) -> Quantity:
    """Return a radioactive element as spectral natural gamma measures it; its symbol alone may be one of XRF."""
    percent, per_million = "%, wt%, wt.%, weight%, pct, percent", "ppm, mg/kg, ug/g, µg/g"
    units = _units(1, percent) | _units(Fraction(1, 10_000), per_million)
    if unit == "ppm":
        units = _units(1, per_million) | _units(10_000, percent)
    low = -0.02 * highest  # a fit of few counts may fall below 0
    return Quantity(
        name,
        unit,
        aliases,
        _STATED_NOTHING | units,
        (low, highest),
        "none",
        "NGR",
        symbol,
        aliases_with_unit=(symbol.lower(),),
    )


POTASSIUM = _spectral("Potassium (NGR)", "%", ("ngrk", "potassium", "pota"), "K", 20.0)
URANIUM = _spectral("Uranium (NGR)", "ppm", ("ngru", "uranium", "uran"), "U", 1000.0)
THORIUM = _spectral("Thorium (NGR)", "ppm", ("ngrth", "thorium", "thor"), "Th", 1000.0)

ELEMENTS = (
    *("Al", "Si", "P", "S", "Cl", "K", "Ca", "Ti", "V", "Cr", "Mn", "Fe", "Ni", "Cu", "Zn", "As", "Br", "Rb", "Sr"),
    *("Y", "Zr", "Ba", "Pb"),
)
"""Elements that XRF core scanners count."""


def _counted(symbol: str) -> Quantity:
    """Return an element as an XRF core scanner counts it; its symbol alone may be a concentration."""
    x = symbol.lower()
    return Quantity(
        f"{symbol} (XRF)",
        "counts",
        (f"xrf{x}", f"{x}counts", f"{x}area", f"{x}peakarea", f"{x}ka", f"{x}kaarea", f"{x}intensity"),
        _STATED_NOTHING | _units(1, "counts, count, area, peak area, total counts"),
        (-1e5, 1e8),  # the fit of a peak may fall below 0
        "signed_log",
        "XRF",
        symbol,
        aliases_with_unit=(x,),
    )


MAX_FEATURES = 64
"""Largest number of features of a set: ``missing`` has a bit for each."""


class FeatureSet(tuple[Quantity, ...]):
    """The features of a model, or of a table, in order: 1 to 64 quantities with different names.

    Parameters
    ----------
    quantities : iterable of Quantity
        The features.

    Raises
    ------
    ValueError
        If there is none, more than 64, or two have one name.
    """

    def __new__(cls, quantities: Iterable[Quantity]) -> Self:
        """Create the set, and check it."""
        features = super().__new__(cls, quantities)
        names = [feature.name for feature in features]
        if not 1 <= len(names) <= MAX_FEATURES:
            raise ValueError(f"a feature set has 1 to {MAX_FEATURES} features, not {len(names)}")
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"a feature set names {twice[0]} twice")
        return features

    @classmethod
    def of_json(cls, entries: Any) -> Self:
        """Return the set that a checkpoint or a bundle states: what `to_json` returns.

        Raises
        ------
        ValueError
            If an entry is malformed, or contradicts the catalogue: a unit that the quantity is not measured in.
        """
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError("states no list of features")
        return cls([_stated(entry) for entry in entries])

    @classmethod
    def named(cls, names: Iterable[str]) -> Self:
        """Return the quantities of the catalogue with some names; any name or alias of each will do.

        Raises
        ------
        ValueError
            If the catalogue does not know a name, or two are of one quantity.
        """
        found = []
        for name in names:
            position = CATALOGUE.find(name)
            if position is None:
                raise ValueError(
                    f"no quantity is named {name!r}; known are {', '.join(CATALOGUE.short_names.values())}"
                )
            found.append(CATALOGUE[position])
        return cls(found)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the set as plain data: name, unit, plausible range, transform and instrument of each feature."""
        return [
            {
                "name": feature.name,
                "unit": feature.unit,
                "plausible": list(feature.plausible),
                "transform": feature.transform,
                "instrument": feature.instrument,
            }
            for feature in self
        ]

    def find(self, name: str) -> int | None:
        """Return the position of the feature that a name, an alias or else a short name fits; None if it fits none."""
        ranked = [(rank, i) for i, feature in enumerate(self) if (rank := feature.rank(name)) is not None]
        if ranked:
            return min(ranked)[1]
        return next(
            (i for i, feature in enumerate(self) if feature.short and letters(feature.short) == letters(name)), None
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(feature.name for feature in self)

    @cached_property
    def short_names(self) -> dict[str, str]:
        """Name of each feature for printed tables and ``--map``, by its name: short, if no other feature has it."""
        shared = Counter(feature.short for feature in self)  # K is potassium by spectral gamma, and by XRF
        return {
            feature.name: feature.short if feature.short and shared[feature.short] == 1 else feature.name
            for feature in self
        }

    @cached_property
    def transforms(self) -> tuple[Transform, ...]:
        """Transform of each feature."""
        return tuple(feature.transform for feature in self)

    @cached_property
    def plausible(self) -> NDArray[np.float32]:
        """Lowest and highest plausible value of each feature; shape (2, n)."""
        return np.array([feature.plausible for feature in self], np.float32).T

    @cached_property
    def is_log1p(self) -> NDArray[np.bool_]:
        """Which features are undefined at -1 and below, because the scaler takes their log1p; shape (n,)."""
        return np.array([feature.transform == "log1p" for feature in self])

    @cached_property
    def bits(self) -> np.dtype[Any]:
        """The smallest unsigned type with a bit for each feature."""
        return np.dtype(next(f"u{n_bytes}" for n_bytes in (1, 2, 4, 8) if len(self) <= 8 * n_bytes))

    @cached_property
    def instruments(self) -> dict[str, list[int]]:
        """Positions of the features that each instrument measures; a feature without one is its own."""
        found: dict[str, list[int]] = {}
        for i, feature in enumerate(self):
            found.setdefault(feature.instrument or feature.name, []).append(i)
        return found


def _stated(entry: Mapping[str, Any]) -> Quantity:
    """Return the quantity that an entry of a feature set states, with the catalogue's names and units if it has it."""
    lacking = [key for key in ("name", "unit", "plausible", "transform", "instrument") if key not in entry]
    if lacking:
        raise ValueError(f"states no {lacking[0]} of the feature {entry.get('name')!r}")
    name, unit, transform, instrument = entry["name"], entry["unit"], entry["transform"], entry["instrument"]
    if not isinstance(name, str) or not letters(name):
        raise ValueError(f"states {name!r} as the name of a feature")
    known = next((quantity for quantity in CATALOGUE if quantity.name == name), None)
    if not isinstance(unit, str) or not unit or (known and known.factor(unit) != 1):
        raise ValueError(f"states {name} in {unit!r}, not in {known.unit if known else 'a unit'!r}")
    if transform not in TRANSFORMS:
        raise ValueError(f"states {transform!r} as the transform of {name}, not none, signed_log or log1p")
    if not isinstance(instrument, str):
        raise ValueError(f"states {instrument!r} as the instrument of {name}")
    ends, usual = entry["plausible"], known.plausible if known else (-np.inf, np.inf)
    if not (isinstance(ends, list) and len(ends) == 2 and all(map(is_finite_number, ends))):
        raise ValueError(f"states {ends!r} as the plausible range of {name}")
    if not (ends[0] < usual[1] and ends[1] > usual[0]):
        raise ValueError(f"states {ends} as the plausible range of {name}, not {list(usual)}")
    about = known or Quantity(name, unit, (), _STATED_NOTHING | _units(1, unit), usual)
    quantity = replace(about, plausible=(float(ends[0]), float(ends[1])), transform=transform, instrument=instrument)
    return known if known and quantity == known else quantity


def is_finite_number(value: Any) -> bool:
    """Return whether a value of JSON is a number, neither NaN nor infinite."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # False for NaN, and for a huge integer


LILY = FeatureSet((DENSITY, SUSCEPTIBILITY, GAMMA, RED, GREEN, BLUE))
"""The default set: the six features of the published LILY table, in the order that its models require."""
CATALOGUE = FeatureSet(
    (
        *LILY,
        *(POINT_SUSCEPTIBILITY, VELOCITY, RESISTIVITY, POROSITY),
        *(LIGHTNESS, GREEN_TO_RED, BLUE_TO_YELLOW, GREY_REFLECTANCE, POTASSIUM, URANIUM, THORIUM),
        *map(_counted, ELEMENTS),
    )
)
"""All quantities that the runtime knows by name."""

FEATURE_NAMES = LILY.names
"""Names of the six features of `LILY`."""

DEPTH = Quantity(
    "Depth CSF-A (m)",
    "m",
    (
        "depthcsfa", "csfa", "topdepthcsfa", "depthmbsf", "mbsf", "depthcsfb", "csfb", "subbottomdepth", "sbdepth",
        "depthmblf", "mblf",
        "sedimentdepthunscaled", "sedimentdepth", "depthsed", "depthsedimentrock", "depthwmsf", "wmsf",
        "depth", "depthm", "depthbin", "coredepth", "dept", "topdepth", "depthccsfa", "depthccsfd", "depthccsf",
        "sedimentdepthscaled", "depthmcd", "mcd", "measureddepth", "md", "mdepth", "trueverticaldepth", "tvd",
        "tvdss", "ztvdss",
    ),
    _STATED_NOTHING
    | _units(1, "m, metre, metres, meter, meters, mbsf, m mbsf, mcd, m mcd")
    | _units(1, "m csf-a, m csf-b, m ccsf, m ccsf-a, m ccsf-d, mbs, mbs / csf-a, mcd / ccsf, mcd / ccsf-a, m wmsf")
    | _units(1, "mblf, m blf, m bsf")
    | _units(Fraction(254, 10_000), "in, inch, inches")
    | _units(Fraction(1, 100), "cmbsf, cmblf, cmcd")
    | _units(Fraction(1, 100), "cm, centimetre, centimetres, centimeter, centimeters")
    | _units(Fraction(1, 1000), "mm, millimetre, millimetres, millimeter, millimeters")
    | _units(Fraction(3048, 10_000), "ft, foot, feet"),  # the international foot
    (-20_000.0, 20_000.0),
)  # fmt: skip


def read_features(text: str) -> FeatureSet:
    """Return the feature set that ``--features`` gives.

    Parameters
    ----------
    text : str
        Names or aliases of quantities of the catalogue, separated by commas; or the path of a ``.json`` with a list of
        features as `FeatureSet.to_json` returns it, which may have quantities that the catalogue does not know.

    Raises
    ------
    InputError
        If a name is not known, one is named twice, or the file does not hold a list of features.
    """
    if not text.lower().endswith(".json"):
        try:
            return FeatureSet.named(name.strip() for name in text.split(","))
        except ValueError as error:
            raise InputError(f"--features: {error}") from error
    path = Path(text)
    try:
        return FeatureSet.of_json(json.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"--features: {path} is not a list of features: {reason}", path) from error
