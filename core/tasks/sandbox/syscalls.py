"""Numbers of Linux's system calls on the two architectures that the lock knows, and which of them it refuses.

From arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (aarch64) of Linux 6.x.
"""

import platform
from collections.abc import Mapping
from typing import NamedTuple

Numbers = tuple[int | None, int | None]  # on x86_64 and on aarch64; None where it has no such call


class Architecture(NamedTuple):
    """audit: what seccomp calls it (AUDIT_ARCH_*); column: of the tables here."""

    audit: int
    column: int


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(0xC000003E, 0),
    "aarch64": Architecture(0xC00000B7, 1),
}

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
# Both architectures share numbers from 424 on. What these tables do not know is answered as by an older kernel.
FIRST_UNKNOWN = 451


def architecture() -> Architecture | None:
    """This machine's, or None where its numbers are not known."""
    return ARCHITECTURES.get(platform.machine())


def _table(*texts: str) -> dict[str, Numbers]:
    words = " ".join(texts).split()
    columns = [[None if word == "-" else int(word) for word in words[at::3]] for at in (1, 2)]
    return dict(zip(words[::3], zip(*columns, strict=True), strict=True))


CONNECTIONS = """
    socket 41 198  connect 42 203  bind 49 200  listen 50 201  accept 43 202  accept4 288 242  sendmsg 46 211
    sendmmsg 307 269"""
OTHER_PROGRAMS = "execve 59 221  execveat 322 281  memfd_create 319 279  memfd_secret 447 447"
OTHER_PROCESSES = """
    ptrace 101 117  process_vm_readv 310 270  process_vm_writev 311 271  process_madvise 440 440
    process_mrelease 448 448  kcmp 312 272  pidfd_open 434 434  pidfd_getfd 438 438  pidfd_send_signal 424 424
    tkill 200 130  rt_sigqueueinfo 129 138  rt_tgsigqueueinfo 297 240  get_robust_list 274 100  migrate_pages 256 238
    move_pages 279 239  setpriority 141 140  ioprio_set 251 30  sched_setscheduler 144 119  sched_setparam 142 118
    sched_setattr 314 274"""
LEAVING_THE_SESSION = "setsid 112 157  setpgid 109 154"  # by which a child is ended
# What belongs to a file beside its bytes; Landlock leaves that alone.
FILE_ATTRIBUTES = """
    chmod 90 -  fchmod 91 52  fchmodat 268 53  chown 92 -  lchown 94 -  fchown 93 55  fchownat 260 54  setxattr 188 5
    lsetxattr 189 6  fsetxattr 190 7  removexattr 197 14  lremovexattr 198 15  fremovexattr 199 16  utime 132 -
    utimes 235 -  utimensat 280 88  futimesat 261 -  truncate 76 45  flock 73 32  mknod 133 -  mknodat 259 33
    name_to_handle_at 303 264  open_by_handle_at 304 265  fanotify_init 300 262  fanotify_mark 301 263
    inotify_init 253 -  inotify_init1 294 26  inotify_add_watch 254 27"""
SHARED_BY_KEY = """
    shmget 29 194  shmat 30 196  shmctl 31 195  semget 64 190  semop 65 193  semtimedop 220 192  semctl 66 191
    msgget 68 186  msgsnd 69 189  msgrcv 70 188  msgctl 71 187  mq_open 240 180  mq_unlink 241 181"""
NAMESPACES_AND_USERS = """
    unshare 272 97  setns 308 268  chroot 161 51  pivot_root 155 41  mount 165 40  umount2 166 39  open_tree 428 428
    move_mount 429 429  fsopen 430 430  fsconfig 431 431  fsmount 432 432  fspick 433 433  mount_setattr 442 442
    setuid 105 146  setgid 106 144  setreuid 113 145  setregid 114 143  setresuid 117 147  setresgid 119 149
    setgroups 116 159  capset 126 91"""
# Where holes of the kernel have been, and what only its administrator needs.
KERNEL_DOORS = """
    io_uring_setup 425 425  io_uring_enter 426 426  io_uring_register 427 427  bpf 321 280  perf_event_open 298 241
    userfaultfd 323 282  keyctl 250 219  add_key 248 217  request_key 249 218  init_module 175 105
    finit_module 313 273  delete_module 176 106  kexec_load 246 104  kexec_file_load 320 294  reboot 169 142
    swapon 167 224  swapoff 168 225  acct 163 89  quotactl 179 60  quotactl_fd 443 443  syslog 103 116
    sethostname 170 161  setdomainname 171 162  settimeofday 164 170  clock_settime 227 112  adjtimex 159 171
    clock_adjtime 305 266  iopl 172 -  ioperm 173 -  modify_ldt 154 -  vhangup 153 58  personality 135 92
    uselib 134 -  vmsplice 278 75  lookup_dcookie 212 18  nfsservctl 180 42  remap_file_pages 216 234  ustat 136 -
    sysfs 139 -  _sysctl 156 -"""

# Refused whatever their arguments are.
REFUSED = _table(
    CONNECTIONS,
    OTHER_PROGRAMS,
    OTHER_PROCESSES,
    LEAVING_THE_SESSION,
    FILE_ATTRIBUTES,
    SHARED_BY_KEY,
    NAMESPACES_AND_USERS,
    KERNEL_DOORS,
)

# Refused or not by what the lock makes of their arguments.
EXAMINED = _table(
    """fork 57 -  vfork 58 -  clone 56 220  clone3 435 435  kill 62 129  tgkill 234 131  socketpair 53 199
    prlimit64 302 261  prctl 157 167  fcntl 72 25  ioctl 16 29  sched_setaffinity 203 122  open 2 -  openat 257 56
    openat2 437 437"""
)

NUMBERS: Mapping[str, Numbers] = {**REFUSED, **EXAMINED}
