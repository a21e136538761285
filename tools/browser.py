"""Makes sure that there is a Chromium for the browser tests, and says what to do when there cannot be one."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> None:
    if any(shutil.which(name) for name in NAMES) or playwright_has_one():
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing Debian's chromium for the browser tests", file=sys.stderr, flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0:
            return
    print("Installing Playwright's chromium for the browser tests", file=sys.stderr, flush=True)
    if subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"]).returncode != 0:
        sys.exit("No Chromium for the browser tests. Install the package chromium and run make test again.")


def playwright_has_one() -> bool:
    from pathlib import Path

    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


if __name__ == "__main__":
    main()
