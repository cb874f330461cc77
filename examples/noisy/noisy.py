"""Write colors, a progress bar with carriage returns, and both streams: `python noisy.py --steps 20`."""

import argparse
import sys
import time

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=100)
steps = parser.parse_args().steps

run = Run.get_context()
NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]
for code, name in enumerate(NAMES):
    print(f"\x1b[{30 + code}m{name}\x1b[0m \x1b[{90 + code}mbright {name}\x1b[0m \x1b[1;{30 + code}mbold {name}\x1b[0m")
print("\x1b[3mitalic\x1b[0m \x1b[4munderlined\x1b[0m \x1b[9mstruck\x1b[0m \x1b[7minverse\x1b[0m \x1b[2mdim\x1b[0m")
print("256 colors: " + "".join(f"\x1b[38;5;{color}m#" for color in range(16, 232, 6)) + "\x1b[0m")
print("\x1b]8;;https://example.com\x1b\\a link that a terminal would open\x1b]8;;\x1b\\", flush=True)
print("Grüße, 你好, \U0001f600, and <b>no markup</b>", flush=True)

for step in range(1, steps + 1):
    filled = 30 * step // steps
    bar = "#" * filled + "." * (30 - filled)
    sys.stdout.write(f"\r\x1b[32m{bar}\x1b[0m {100 * step // steps:>3} %")
    sys.stdout.flush()
    run.log("progress", step / steps)
    if step % 25 == 0:
        print(f"\nwarning: {step} steps are done", file=sys.stderr, flush=True)
    time.sleep(0.1)
print("\nDone", flush=True)
