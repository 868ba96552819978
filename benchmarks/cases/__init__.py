"""The cases: functions of a `Bench` that measure, and return plain numbers for ``results.json``."""

from . import agreement, encode, graph, growth, installed, limits, live, parity, scans, shell, small, start

CASES = {
    "agreement": agreement.measure,
    "encode": encode.embed,
    "classify": encode.classify,
    "table_f4": scans.table_f4,
    "table_f8": scans.table_f8,
    "gzip_f4": scans.gzip_f4,
    "gzip_f8": scans.gzip_f8,
    "instruments": scans.instruments,
    "small": small.measure,
    "live": live.measure,
    "shell": shell.measure,
    "start": start.measure,
    "memory": growth.measure,
    "size": installed.measure,
    "graph": graph.measure,
    "limits": limits.measure,
    "parity": parity.measure,
}
"""The cases by name, in the order in which they run."""
