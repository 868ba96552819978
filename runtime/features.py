"""The six features, and the names and units under which loggers and repositories leave them.

This is the one place where an alias or a unit is added. Names are compared by their letters and digits alone, without
case; a unit may stand in a trailing parenthesis, or after the last gap (``depth_cm``, ``RHOB.K/M3``). Aliases stand in
order of preference. They are the column headings of IODP's LIMS reports and of LILY, ODP's Janus, Geotek's MSCL and
well logs (LAS), and the short forms that people make of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache

_NAMES = 1 << 14  # a scan asks after the same names again and again, and so does the next


@dataclass(frozen=True)
class Quantity:
    """Something that a scan measures.

    Attributes
    ----------
    name : str
        The published name (IODP LIMS column heading, where there is one).
    unit : str
        The unit that the models were trained in.
    aliases : tuple of str
        Other names, letters and digits only, in order of preference.
    units : mapping of str to Fraction
        Known units by their `unit_key`, and the exact factor that brings a value to ``unit``.
    plausible : tuple of float
        Range beyond which a value more likely is in another unit than in the core.
    short : str
        The name that tables for people and ``--map`` use; empty where the name itself is short.
    point_sensor_aliases : tuple of str
        Names that denote the same quantity from an instrument whose numbers are not comparable: never taken unasked.
    aliases_with_unit : tuple of str
        Names whose usual unit is another: taken only where the file states a known one.
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
        """All names that it goes by, reduced to their `letters`, in order of preference."""
        return (letters(self.name), *self.aliases, *self.aliases_with_unit)

    def rank(self, name: str) -> int | None:
        """Tell how well a column's name fits: 0 is best, None is not at all."""
        for candidate in _spellings(name):
            if candidate in self.names:
                return self.names.index(candidate)
        return None

    def needs_unit(self, name: str) -> bool:
        """Tell whether a column of this name is taken only with a unit."""
        return not set(_spellings(name)).isdisjoint(self.aliases_with_unit)

    def is_point_sensor(self, name: str) -> bool:
        """Tell whether a column's name denotes the point sensor's reading of this quantity."""
        return not set(_spellings(name)).isdisjoint(self.point_sensor_aliases)

    def unit_in(self, name: str) -> str | None:
        """Find the unit in a column's name: what follows the quantity in it, but not what is part of a known name."""
        for bare, unit in (split_unit(name), split_suffix(name)):
            if unit and (self.factor(unit) is not None or (letters(name) not in self.names and self._knows(bare))):
                return unit
        return None

    def contradiction(self, name: str, unit: str | None) -> str:
        """Say how a column's name and its stated unit contradict each other; empty where they do not."""
        named = self.unit_in(name)
        if not unit or not named or self.factor(named) in (None, self.factor(unit)):
            return ""
        return f"is in {named!r} by its name, and in {unit!r} by its attribute"

    def factor(self, unit: str) -> Fraction | None:
        """Give the factor from ``unit`` to the model's unit, or None where the unit is not known."""
        return self.units.get(unit_key(unit))

    def _knows(self, bare: str) -> bool:
        return letters(bare) in self.names


@lru_cache(_NAMES)
def letters(name: str) -> str:
    """Reduce a name to its letters, digits and stars (b* is not blue), without case."""
    return re.sub(r"[^0-9a-z*]", "", name.casefold())


def unit_key(unit: str) -> str:
    """Reduce a unit to what its spellings share: no case, gaps, dots or signs of power; ``g/cm³`` is ``g/cm3``."""
    return re.sub(r"[\s^.*·_]", "", unit.casefold().replace("³", "3").replace("−", "-").replace("⁻", "-"))


@lru_cache(_NAMES)
def split_unit(name: str) -> tuple[str, str]:
    """Split ``"Depth (cm)"`` into ``("Depth", "cm")``; the unit is empty where there is no trailing parenthesis."""
    match = re.fullmatch(r"\s*(.*?)\s*[(\[]([^()\[\]]*)[)\]]\s*", name)
    return (match[1], match[2].strip()) if match and match[1] else (name, "")


@lru_cache(_NAMES)
def split_suffix(name: str) -> tuple[str, str]:
    """Split ``"depth_cm"`` into ``("depth", "cm")``; the unit is empty where none that is known by its look ends it."""
    match = _SUFFIX.fullmatch(name.strip())
    return (match[1], match[2]) if match else (name, "")


_SUFFIX = re.compile(
    r"(.*?[^\s_.,])[\s_.,]+"
    r"(k?m|cm|mm|ft|feet|(?:centi|milli)?met(?:re|er)s?|gm?[_/]?cc|g[_/]c3|gm?[_/]?cm\^?3|kg[_/]?m\^?3|k[_/]m3|cps|g?api|(?:10-?5_?)?si|iu)",
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
        "wetbulkdensity", "wetdensity", "saturatedbulkdensity", "gra", "grape", "den", "density", "dens",
        "density1", "den1", "rhob",
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
    ),
    _STATED_NOTHING | _units(1, "instr. units, instrument units, instr. unit, instrument unit, instr., instr, iu"),
    (-1000.0, 20_000.0),  # published: -471 to 6,775
    short="MS",
    point_sensor_aliases=(
        "hiresms", "pointms", "mspoint", "msp", "ms2e", "ms2k", "ms2f", "magneticsusceptibilitypoint",
        "pointmagneticsusceptibility",
    ),
    aliases_with_unit=("volumesusceptibility", "volumemagneticsusceptibility", "kappa"),  # SI, as a rule
)  # fmt: skip
GAMMA = Quantity(
    "NGR total counts (cps)",
    "cps",
    (
        "ngrtotalcounts", "ngrtotal", "ngr", "naturalgammaradiation", "naturalgamma", "naturalgammacounts",
        "totalcounts", "ngam", "ngamma",
    ),
    _STATED_NOTHING | _units(1, "cps, counts/s, counts/sec, counts/second, counts per second, c/s, 1/s, s-1"),
    (-10.0, 1000.0),  # published: -1 to 292
    short="NGR",
    aliases_with_unit=("gammaray", "gr", "gamma", "totalgamma"),  # gAPI, as a rule
)  # fmt: skip
RED = Quantity("R", "0-255", ("red", "rgbr", "meanr", "rmean"), _COLOUR_UNITS, (0.0, 255.0))
GREEN = Quantity("G", "0-255", ("green", "rgbg", "meang", "gmean"), _COLOUR_UNITS, (0.0, 255.0))
BLUE = Quantity("B", "0-255", ("blue", "rgbb", "meanb", "bmean"), _COLOUR_UNITS, (0.0, 255.0))

FEATURES = (DENSITY, SUSCEPTIBILITY, GAMMA, RED, GREEN, BLUE)
"""The six features, in the only order in which the models take them."""
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
SHORT_NAMES = {feature.name: feature.short or feature.name for feature in FEATURES}
"""Short name of each feature, by its name."""

DEPTH = Quantity(
    "Depth CSF-A (m)",
    "m",
    (
        "depthcsfa", "csfa", "topdepthcsfa", "depthmbsf", "mbsf", "depthcsfb", "csfb", "subbottomdepth", "sbdepth",
        "depth", "depthm", "depthbin", "coredepth", "dept", "topdepth", "depthccsfa", "depthccsfd", "depthccsf",
        "depthmcd", "mcd", "measureddepth", "md", "mdepth", "trueverticaldepth", "tvd", "tvdss", "ztvdss",
    ),
    _STATED_NOTHING
    | _units(1, "m, metre, metres, meter, meters, mbsf, m mbsf, mcd, m mcd")
    | _units(1, "m csf-a, m csf-b, m ccsf, m ccsf-a, m ccsf-d")
    | _units(Fraction(1, 100), "cm, centimetre, centimetres, centimeter, centimeters")
    | _units(Fraction(1, 1000), "mm, millimetre, millimetres, millimeter, millimeters")
    | _units(Fraction(3048, 10_000), "ft, foot, feet"),  # the international foot
    (-20_000.0, 20_000.0),
)  # fmt: skip
