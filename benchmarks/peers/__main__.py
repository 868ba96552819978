"""One peer in its own process: ``.venv/dev/bin/python -m benchmarks.peers NAME SCAN.h5 OUT.npz CHOICE``."""

import json
import sys
from pathlib import Path

from lithovae.runtime.process.threads import granted_threads

from . import make_peer

if __name__ == "__main__":
    name, scan, out, choice = sys.argv[1:]
    make_peer(name, granted_threads(), json.loads(choice)).embed_scan(Path(scan), Path(out))
