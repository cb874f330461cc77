import time

print("Hello, I will be a while.", flush=True)
time.sleep(120)
print("I was not canceled.", flush=True)
