"""The plugin's tests. They find the plugin, the SDK beside it, and the packages that `wardian build` installed."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_ROOT / "src"), str(_ROOT / "sdk" / "src")]
sys.path.append(str(_ROOT / "target" / "packages" / "lib" / "python" / "site-packages"))
