"""Print a line and log a number every second: `python hello.py --seconds 10`."""

import argparse
import math
import time

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=int, default=60)
seconds = parser.parse_args().seconds

run = Run.get_context()
print(f"Hello from a run of {seconds} seconds", flush=True)
for second in range(1, seconds + 1):
    time.sleep(1)
    wave = math.sin(second / 6) * math.exp(-second / 60)
    run.log("wave", wave)
    print(f"second {second:>3} of {seconds}: wave is {wave:+.4f}", flush=True)
run.log("seconds", seconds)
print("Done", flush=True)
