"""Films in one picture, each under its prompt.

python examples/contact_sheet.py films/*.mp4 -o sheet.png
"""

import argparse
from pathlib import Path

from muybridge import read_settings
from muybridge.media.sheet import contact_sheet
from muybridge.media.video import read_video


def main() -> None:
    """Read the films and their prompts, write the sheet, print its path."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    contact_sheet(
        [read_video(path)[0] for path in given.films],
        labels=[read_settings(path)["prompt"] for path in given.films],
        path=given.output,
    )
    print(given.output)


if __name__ == "__main__":
    main()
