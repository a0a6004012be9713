"""A network namespace, so that fixed ports are free whatever else runs here."""

import ctypes
import os
import shutil
import subprocess

_CLONE_NEWNET = 0x40000000


def possible():
    """Whether this process may make one: that takes root, which in some containers is
    not enough, and the commands ip and unshare."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        return False
    trial = ["unshare", "--net", "ip", "link", "set", "lo", "up"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


def enter(addresses=()):
    """Moves this thread and all processes it starts into a new namespace, with the
    loopback device alone. `addresses` lead to it as well."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses:
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
