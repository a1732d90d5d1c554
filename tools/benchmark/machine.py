# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the figures were measured on."""
import os
import platform
import subprocess


def first_line(path, start=""):
    try:
        with open(path, encoding="utf-8") as file:
            return next((line.strip() for line in file if line.startswith(start)), "")
    except OSError:
        return ""


def describe(source):
    commit = subprocess.run(["git", "-C", source, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "processor": first_line("/proc/cpuinfo", "model name").partition(":")[2].strip(),
        "cores": len(os.sched_getaffinity(0)),
        "virtual machine": " hypervisor" in first_line("/proc/cpuinfo", "flags"),
        "kernel": platform.release(),
        "C library": " ".join(platform.libc_ver()),
        "system": first_line("/etc/os-release", "PRETTY_NAME").partition("=")[2].strip('"'),
        "load average at the start": os.getloadavg()[0],
        "commit": commit or "unknown",
    }
