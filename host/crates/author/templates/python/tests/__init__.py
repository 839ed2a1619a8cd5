"""The plugin's tests. They find the plugin and the SDK beside them, whatever is installed."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_ROOT / "src"), str(_ROOT / "sdk" / "src")]
