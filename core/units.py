"""Numbers as people read them. Bytes are plain integers everywhere else."""

GIB = 1024**3
MIB = 1024**2
KIB = 1024


def gib(nbytes: float) -> str:
    """Bytes as GiB with one decimal, as MiB below a tenth of a GiB and KiB below a MiB: 3221225472 -> "3.0 GiB"."""
    if 0 < abs(nbytes) < MIB:
        return f"{nbytes / KIB:.0f} KiB"
    if abs(nbytes) < GIB / 10:
        return f"{nbytes / MIB:.0f} MiB"
    return f"{nbytes / GIB:,.1f} GiB"


def significant(value: float, digits: int = 3) -> str:
    """A figure with three significant digits and no exponent for everyday sizes: 0.012345 -> "0.0123"."""
    if value == 0:
        return "0"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return text if "e" not in text else f"{value:.2e}"


def thin(count: int) -> str:
    """A whole number with thin separators: 93184 -> "93 184" (narrow no-break spaces)."""
    return f"{count:,}".replace(",", "\u202f")


def parameters(count: int) -> str:
    """A parameter count as the field writes it: 134515008 -> "135M", 7615616512 -> "7.62B"."""
    return f"{count / 1e9:.3g}B" if count >= 999.5e6 else f"{count / 1e6:.3g}M"


def duration(seconds: float) -> str:
    """Seconds as people say them: 200 -> "3 min 20 s", 180 -> "3 min", 0.34 -> "0.34 s"."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = whole % 3600 // 60
    return f"{whole // 3600} h" + (f" {minutes} min" if minutes else "")


def plural(count: int, noun: str) -> str:
    """ "1 run", "2 runs": a count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
