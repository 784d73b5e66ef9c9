"""Make the picture in the README: the top of a real report, run by ``nox -s screenshot``."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parent / "report.png"
# The verdict and the key figures; what is below names folders of the machine it was made on.
WIDTH, HEIGHT = 1200, 465


def main() -> None:
    """Profile the crawler and photograph its report."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "concurtrace", "profile", "crawler", "--mode", "threads"],
            cwd=folder,
            check=True,
        )
        (report,) = Path(folder).glob(".concurtrace/runs/*/report.html")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(report.as_uri())
            page.screenshot(path=PICTURE)
            browser.close()


if __name__ == "__main__":
    main()
