"""The six features, and the names and units under which loggers and repositories leave them.

This is the one place where an alias or a unit is added. Names are compared by their letters and digits alone, without
case; a trailing parenthesis may hold a unit. Aliases stand in order of preference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction


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
        Spellings of known units, and the exact factor that brings a value to ``unit``.
    plausible : tuple of float
        Range beyond which a value more likely is in another unit than in the core.
    point_sensor_aliases : tuple of str
        Names that denote the same quantity from an instrument whose numbers are not comparable: never taken unasked.
    """

    name: str
    unit: str
    aliases: tuple[str, ...]
    units: Mapping[str, Fraction]
    plausible: tuple[float, float]
    point_sensor_aliases: tuple[str, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """All names that it goes by, reduced to their `letters`, in order of preference."""
        return (letters(self.name), *self.aliases)

    def rank(self, name: str) -> int | None:
        """Tell how well a column's name fits: 0 is best, None is not at all."""
        for candidate in (letters(name), letters(split_unit(name)[0])):
            if candidate in self.names:
                return self.names.index(candidate)
        return None

    def is_point_sensor(self, name: str) -> bool:
        """Tell whether a column's name denotes the point sensor's reading of this quantity."""
        return not {letters(name), letters(split_unit(name)[0])}.isdisjoint(self.point_sensor_aliases)

    def factor(self, unit: str) -> Fraction | None:
        """Give the factor from ``unit`` to the model's unit, or None where the unit is not known."""
        return self.units.get(unit.strip().casefold())


ONE = Fraction(1)
_COLOUR_UNITS = dict.fromkeys(["", "0-255", "8-bit level", "8-bit", "level", "counts", "dn", "rgb"], ONE)

DENSITY = Quantity(
    "Bulk density (GRA)",
    "g/cm3",
    (
        "bulkdensity", "grabulkdensity", "gradensity", "gammadensity", "gammaraydensity", "wetbulkdensity",
        "gra", "grape", "den", "density", "density1", "den1", "rhob",
    ),
    dict.fromkeys(["", "g/cm3", "g/cm^3", "g/cm³", "g/cc", "gm/cc", "gm/cm3", "gm/cm^3", "g cm-3", "g cm^-3"], ONE)
    | dict.fromkeys(["kg/m3", "kg/m^3", "kg/m³", "kg m-3", "kg m^-3"], Fraction(1, 1000)),
    (0.3, 4.0),  # what the published table kept
)  # fmt: skip
SUSCEPTIBILITY = Quantity(
    "Magnetic susceptibility (instr. units)",
    "instr. units",
    ("magneticsusceptibility", "magsus", "magsusc", "loopms", "msloop", "msl", "ms", "ms1", "susceptibility"),
    dict.fromkeys(["", "instr. units", "instr units", "instrument units", "instr.", "iu"], ONE),
    (-1000.0, 20_000.0),  # published: -471 to 6,775
    point_sensor_aliases=("hiresms", "pointms", "mspoint", "msp", "ms2e"),
)
GAMMA = Quantity(
    "NGR total counts (cps)",
    "cps",
    ("ngrtotalcounts", "ngr", "naturalgammaradiation", "naturalgamma", "totalcounts"),
    dict.fromkeys(["", "cps", "counts/s", "counts/sec", "counts per second", "1/s", "s-1"], ONE),
    (-10.0, 1000.0),  # published: -1 to 292
)
RED = Quantity("R", "0-255", ("red",), _COLOUR_UNITS, (0.0, 255.0))
GREEN = Quantity("G", "0-255", ("green",), _COLOUR_UNITS, (0.0, 255.0))
BLUE = Quantity("B", "0-255", ("blue",), _COLOUR_UNITS, (0.0, 255.0))

FEATURES = (DENSITY, SUSCEPTIBILITY, GAMMA, RED, GREEN, BLUE)
"""The six features, in the only order in which the models take them."""
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)

DEPTH = Quantity(
    "Depth CSF-A (m)",
    "m",
    ("depthcsfa", "csfa", "depthmbsf", "mbsf", "depth", "depthm", "depthbin"),
    dict.fromkeys(["", "m", "m csf-a", "m csf-b", "m mbsf", "metre", "metres", "meter", "meters", "mbsf"], ONE)
    | dict.fromkeys(["cm", "centimetre", "centimetres", "centimeter", "centimeters"], Fraction(1, 100))
    | dict.fromkeys(["mm", "millimetre", "millimetres", "millimeter", "millimeters"], Fraction(1, 1000))
    | dict.fromkeys(["ft", "foot", "feet"], Fraction(3048, 10_000)),  # the international foot
    (-20_000.0, 20_000.0),
)


def letters(name: str) -> str:
    """Reduce a name to its letters, digits and stars (b* is not blue), without case."""
    return re.sub(r"[^0-9a-z*]", "", name.casefold())


def split_unit(name: str) -> tuple[str, str]:
    """Split ``"Depth (cm)"`` into ``("Depth", "cm")``; the unit is empty where there is no trailing parenthesis."""
    match = re.fullmatch(r"\s*(.*?)\s*[(\[]([^()\[\]]*)[)\]]\s*", name)
    return (match[1], match[2].strip()) if match and match[1] else (name, "")
