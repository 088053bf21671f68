"""llama.cpp's own server from the `xllamacpp` package: the peer for tokens per second.

Usage: llama_server.py MODEL PORT THREADS SLOTS
"""

import sys
import time

import xllamacpp

model, port, threads, slots = sys.argv[1], *map(int, sys.argv[2:5])
params = xllamacpp.CommonParams()
params.model.path = model
params.hostnames, params.port = ["127.0.0.1"], port
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
params.n_parallel, params.n_ctx = slots, 1024 * slots
params.warmup = True
server = xllamacpp.Server(params)
print("ready", flush=True)
while True:
    time.sleep(60)
