"""When, and on which processor, the figures of this folder were measured."""

import datetime
import platform
import re
from pathlib import Path


def date_and_processor():
    cpuinfo = Path("/proc/cpuinfo")  # where there is none, platform knows the processor's name
    model = re.search(r"model name\s*: (.*)", cpuinfo.read_text() if cpuinfo.exists() else "")
    model = model[1] if model else platform.processor() or platform.machine()
    return f"{datetime.date.today()}, {model}"
