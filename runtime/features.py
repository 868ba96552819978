"""The six features and the depth, with the names and units that loggers and repositories use for them.

To add an alias or a unit, add it here and nowhere else. Names are compared by their letters and digits only, ignoring
case. A unit may follow the name in parentheses, or after the last separator (``depth_cm``, ``RHOB.K/M3``). Aliases are
in order of preference. They are the column headings of IODP's LIMS reports, LILY, ODP's Janus, Geotek's MSCL and well
logs (LAS), and common short forms of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache

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
    short: str = ""
    point_sensor_aliases: tuple[str, ...] = field(default=())
    aliases_with_unit: tuple[str, ...] = field(default=())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names of the quantity, reduced to their `letters`, in order of preference."""
        return (letters(self.name), *self.aliases, *self.aliases_with_unit)

    def rank(self, name: str) -> int | None:
        """Return how well a column's name matches: 0 is the best match, None is no match."""
        for candidate in _spellings(name):
            if candidate in self.names:
                return self.names.index(candidate)
        return None

    def needs_unit(self, name: str) -> bool:
        """Return whether a column with this name is used only if it has a known unit."""
        return not set(_spellings(name)).isdisjoint(self.aliases_with_unit)

    def is_point_sensor(self, name: str) -> bool:
        """Return whether a column's name denotes this quantity as measured by a point sensor."""
        return not set(_spellings(name)).isdisjoint(self.point_sensor_aliases)

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
    match = _SUFFIX.fullmatch(name.strip())
    return (match[1], match[2]) if match else (name, "")


_SUFFIX = re.compile(
    r"(.*?[^\s_.,])[\s_.,]+"
    r"(k?m|cm|mm|ft|feet|(?:centi|milli)?met(?:re|er)s?|gm?[_/]?cc|g[_/]c3|gm?[_/]?cm(?:\*\*|\^)?-?3"
    r"|kg[_/]?m(?:\*\*|\^)?-?3|k[_/]m3|cps|g?api|(?:10(?:\*\*|\^)?-?[568][_ ]?)?si"
    r"|si[ _]?x?[ _]?10(?:\*\*|\^)?-?[568]|iu)",
    re.IGNORECASE,
)


@lru_cache(_NAMES)
def _spellings(name: str) -> tuple[str, ...]:
    return tuple(letters(spelling) for spelling in (name, split_unit(name)[0], split_suffix(name)[0]))


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
    short="NGR",
    aliases_with_unit=("gammaray", "gr", "gamma", "totalgamma"),  # usually in gAPI
)  # fmt: skip
RED = Quantity("R", "0-255", ("red", "rgbr", "meanr", "rmean"), _COLOUR_UNITS, (0.0, 255.0))
GREEN = Quantity("G", "0-255", ("green", "rgbg", "meang", "gmean"), _COLOUR_UNITS, (0.0, 255.0))
BLUE = Quantity("B", "0-255", ("blue", "rgbb", "meanb", "bmean"), _COLOUR_UNITS, (0.0, 255.0))

FEATURES = (DENSITY, SUSCEPTIBILITY, GAMMA, RED, GREEN, BLUE)
"""The six features, in the order that the models require."""
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
SHORT_NAMES = {feature.name: feature.short or feature.name for feature in FEATURES}
"""Short name of each feature, by its name."""

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
