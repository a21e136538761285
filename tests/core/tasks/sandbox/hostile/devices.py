"""Opens devices: memory, the kernel's log, terminals, disks, and makes one."""

import os
import stat


def reward(completions, outside, **kwargs):
    opened = 0
    for name in ("mem", "kmem", "port", "kmsg", "tty", "console", "vda", "sda", "fuse", "kvm", "ptmx", "shm/x"):
        try:
            os.close(os.open(f"/dev/{name}", os.O_RDWR | os.O_CREAT * name.startswith("shm"), 0o600))
            opened += 1
        except OSError:
            continue
    try:
        os.mknod(f"{outside[0]}/device", stat.S_IFCHR | 0o600, os.makedev(1, 1))
        opened += 1
    except OSError:
        pass
    return [float(opened)] * len(completions)
