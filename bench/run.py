"""Benchmarks against peers: every figure is a ratio of two measurements of one run.

Started by `bench/run`, which builds the tools and installs the peers.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
REMUDA = os.environ["REMUDA"]
TOOLS = pathlib.Path(os.environ["BENCH_TOOLS"])
TEST_HOME = pathlib.Path(os.environ["TEST_HOME"])
BIN = pathlib.Path(sys.executable).parent
MODEL = "smollm2-135m-instruct"
READY_SECONDS = 120
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "3000"))
# Of the benchmark of tokens: 0 makes all three sides compute the likeliest tokens.
TEMPERATURE = os.environ.get("BENCH_TEMPERATURE", "0")
TOKEN_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
TOKEN_SLOTS = 8


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A process in its own group, stopped with all that it started."""

    def __init__(self, *command, **more):
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log", delete=False)
        self.started = time.monotonic()
        self.popen = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if more.pop("events", False) else self.log,
            stderr=self.log,
            start_new_session=True,
            text=True,
            **more,
        )
        self.id = self.popen.pid

    def wait_event(self, key):
        while line := self.popen.stdout.readline():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if key in event:
                return event
        raise SystemExit(f"{self.popen.args} ended: {pathlib.Path(self.log.name).read_text()[-2000:]}")

    def wait_http(self, url):
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(url, timeout=1).read()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{url} did not come up: {pathlib.Path(self.log.name).read_text()[-2000:]}")

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.id, number)
                self.popen.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        os.unlink(self.log.name)


def load(url, key, model, processes=(), **options):
    command = [TOOLS / "load", "--url", url, "--key", key, "--model", model]
    if processes:
        command += ["--processes", ",".join(map(str, processes))]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        command += [flag] if value is True else [flag, value]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr}")
    return json.loads(done.stdout)


def remuda(home, *args, **more):
    return Process(
        REMUDA, "--json", "--home", home, "--models", TEST_HOME / "models", *args, events=True, **more
    )


def ask_remuda(home, *args):
    command = [REMUDA, "--json", "--home", home, *args]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def rows(title, table):
    """Prints a table: a list of dictionaries with equal keys."""
    keys = list(table[0])
    print(f"\n### {title}\n\n| " + " | ".join(keys) + " |\n|" + "---|" * len(keys))
    for row in table:
        print("| " + " | ".join(str(row[key]) for key in keys) + " |")


class Network:
    """A network of separate processes, one a role, as strangers would run it."""

    def __init__(self, provider_args):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="remuda-bench-"))
        listen = f"127.0.0.1:{free_port()}"
        # `devnet` with its providers asked for elsewhere: founding happens once, in there.
        self.founder = remuda(self.home, "devnet", "--providers", 1, "--listen", listen, *provider_args)
        self.roles = {}
        while True:
            event = json.loads(self.founder.popen.stdout.readline())
            if event.get("event") == "started":
                self.roles[event["role"]] = event["process"]
            if "base_url" in event:
                self.url, self.key = event["base_url"], event["api_key"]
                return

    def stop(self):
        self.founder.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def gateway():
    """CPU per request and added time to first token, beside the mock alone and peers."""
    mock_port = free_port()
    mock = Process(TOOLS / "mock", f"127.0.0.1:{mock_port}")
    mock_url = f"http://127.0.0.1:{mock_port}/v1"
    mock.wait_http(mock_url + "/models")
    started = [mock]
    targets = {"mock alone": (mock_url, "none", "mock", [mock.id])}
    try:
        network = Network(["--model", "mock", "--upstream", mock_url])
        started.append(network)
        for _ in range(100):
            if "mock" in json.dumps(read_models(network)):
                break
            time.sleep(0.2)
        targets["Remuda gateway"] = (network.url, network.key, "mock", [network.roles["gateway"]])
        targets["Remuda gateway + provider"] = (
            network.url, network.key, "mock", [network.roles["gateway"], network.roles["provider-1"]],
        )
        port = free_port()
        router = Process(
            BIN / "vllm-router", "--host", "127.0.0.1", "--port", port,
            "--worker-urls", f"http://127.0.0.1:{mock_port}", "--policy", "round_robin",
        )
        started.append(router)
        router.wait_http(f"http://127.0.0.1:{port}/v1/models")
        targets["vllm-router"] = (f"http://127.0.0.1:{port}/v1", "none", "mock", [router.id])
        port = free_port()
        config = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
        config.write_text(
            "model_list:\n  - model_name: mock\n    litellm_params:\n"
            f"      model: openai/mock\n      api_base: {mock_url}\n      api_key: none\n"
            "general_settings:\n  master_key: sk-bench-0123456789abcdef0123456789abcdef\n"
        )
        proxy = Process(
            BIN / "litellm", "--config", config, "--port", port, "--host", "127.0.0.1",
            # Prices come with the package; without this it asks a server on the internet.
            env=os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        )
        started.append(proxy)
        proxy.wait_http(f"http://127.0.0.1:{port}/health/liveliness")
        targets["LiteLLM"] = (
            f"http://127.0.0.1:{port}/v1", "sk-bench-0123456789abcdef0123456789abcdef", "mock", [proxy.id],
        )
        return measure_gateways(targets)
    finally:
        for one in reversed(started):
            one.stop()


def read_models(network):
    request = urllib.request.Request(
        network.url + "/models", headers={"Authorization": f"Bearer {network.key}"}
    )
    return json.load(urllib.request.urlopen(request, timeout=5))


def measure_gateways(targets):
    results = {}
    for kind, options in (("JSON", {}), ("32-chunk stream", {"stream": True})):
        table = []
        for name, (url, key, model, processes) in targets.items():
            requests = REQUESTS // 10 if name == "LiteLLM" else REQUESTS
            busy = load(url, key, model, processes, requests=requests, concurrency=8, **options)
            calm = load(url, key, model, processes, requests=requests // 4, **options)
            table.append({
                "server": name,
                "CPU µs/request": round(busy["cpu_us_per_request"]),
                "requests/s (8 at once)": round(busy["requests_per_second"]),
                "first text p50 µs": calm["first_us"]["p50"],
                "first text p99 µs": calm["first_us"]["p99"],
            })
        floor = table[0]["first text p50 µs"]
        for row in table:
            row["added p50 µs"] = row["first text p50 µs"] - floor
        rows(f"Gateway, {kind}", table)
        results[kind] = table
    return results


def tokens():
    """Tokens per second through the whole network, beside the engine alone and the server of
    llama.cpp: the same requests, as many at once, in turns, so that a change of the machine
    meets all three."""
    threads = int(os.environ.get("BENCH_THREADS", "2"))
    file = subprocess.run(
        [REMUDA, "--home", TEST_HOME, "model", "path", MODEL],
        capture_output=True, text=True, check=True,
    ).stdout.strip()
    table = []
    for concurrency in (1, 4, 8):
        sides = {
            "Remuda": lambda work: through_network(threads, work),
            "llama.cpp server": lambda work: through_llama_server(file, threads, work),
            "engine alone": lambda work: engine_alone(file, threads, work),
        }
        # Some 20 seconds on two cores; whole rounds, so that no sequence runs alone at the end.
        work = dict(concurrency=concurrency, requests=concurrency * max(5, 20 // concurrency))
        rates, others = {side: [] for side in sides}, {side: [] for side in sides}
        for _ in range(TOKEN_ROUNDS):
            for side, measure in sides.items():
                idle = foreign_cpu()
                rates[side].append(measure(work))
                others[side].append(foreign_cpu(idle))
        row = {"at once": concurrency}
        for side in sides:
            row[f"{side} tok/s"] = round(statistics.median(rates[side]), 1)
            row[f"{side}, spread"] = f"{min(rates[side]):.0f}–{max(rates[side]):.0f}"
        for side in ("llama.cpp server", "engine alone"):
            pairs = zip(rates["Remuda"], rates[side])
            row[f"Remuda / {side}"] = round(statistics.median(a / b for a, b in pairs), 3)
        # Cores that strangers kept busy: above some hundredths, the row says little.
        row["cores busy with others"] = round(max(map(max, others.values())), 2)
        table.append(row)
    rows(f"Tokens per second, {threads} threads", table)
    return table


def foreign_cpu(since=None):
    """A reading of time and CPU; with an earlier reading, the cores between the two that were
    busy with neither this program nor anything that it started and stopped."""
    tick = os.sysconf("SC_CLK_TCK")
    # user, nice, system, idle, iowait, irq, softirq, steal
    fields = [int(word) for word in pathlib.Path("/proc/stat").read_text().split()[1:9]]
    busy = (sum(fields) - fields[3] - fields[4]) / tick
    own = sum(os.times()[:4])
    now = (time.monotonic(), busy - own)
    return (now[1] - since[1]) / (now[0] - since[0]) if since else now


def token_load(url, key, model, work):
    return load(
        url, key, model, warm_up=work["concurrency"], max_tokens=96, temperature=TEMPERATURE,
        stream=True, distinct=True, fresh_connections=True,
        prompt="Tell me a long story about a horse and a river.", **work,
    )["tokens_per_second"]


def through_network(threads, work):
    network = Network(["--threads", threads, "--slots", TOKEN_SLOTS])
    try:
        wait_model(network)
        return token_load(network.url, network.key, MODEL, work)
    finally:
        network.stop()


def through_llama_server(file, threads, work):
    port = free_port()
    peer = Process(BIN / "python", HERE / "llama_server.py", file, port, threads, TOKEN_SLOTS)
    try:
        peer.wait_http(f"http://127.0.0.1:{port}/health")
        return token_load(f"http://127.0.0.1:{port}/v1", "none", "m", work)
    finally:
        peer.stop()


def engine_alone(file, threads, work):
    """The same work on the engine's scheduler, without network, payment or HTTP."""
    command = [
        TOOLS / "examples" / "alone", file, threads, TOKEN_SLOTS,
        work["concurrency"], work["requests"], TEMPERATURE,
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["tokens_per_second"]


def wait_model(network):
    until = time.monotonic() + READY_SECONDS
    while MODEL not in json.dumps(read_models(network)):
        if time.monotonic() > until:
            raise SystemExit("the model never appeared")
        time.sleep(0.2)


def start():
    """From the start of `provider run` to its first paid token, and each role's memory."""
    network = Network([])
    try:
        wait_model(network)
        load(network.url, network.key, MODEL, requests=1, warm_up=0, max_tokens=8)
        memory = {}
        for role, process in network.roles.items():
            status = pathlib.Path(f"/proc/{process}/status").read_text()
            kib = next(line for line in status.splitlines() if line.startswith("VmRSS"))
            memory[role] = round(int(kib.split()[1]) / 1024, 1)
            for child in children_of(process):
                status = pathlib.Path(f"/proc/{child}/status").read_text()
                kib = next(line for line in status.splitlines() if line.startswith("VmRSS"))
                memory[f"{role} engine worker"] = round(int(kib.split()[1]) / 1024, 1)
    finally:
        network.stop()
    seconds = [first_paid_token() for _ in range(3)]
    table = [{"role": role, "resident MiB": value} for role, value in memory.items()]
    rows("Memory of each role after a request", table)
    rows("Start of `provider run` to the first paid token", [
        {"median s": round(statistics.median(seconds), 2), "worst s": round(max(seconds), 2)}
    ])
    return {"memory": memory, "first_paid_token_seconds": seconds}


def children_of(process):
    text = pathlib.Path(f"/proc/{process}/task/{process}/children")
    found = set(text.read_text().split()) if text.exists() else set()
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        found |= set((task / "children").read_text().split())
    return sorted(map(int, found))


def first_paid_token():
    """A provider joins a running network that has none, and a buyer waits for it."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="remuda-bench-"))
    founder = remuda(home, "devnet", "--providers", 1, "--listen", f"127.0.0.1:{free_port()}", "--no-restart")
    try:
        event = {}
        roles = {}
        while "base_url" not in event:
            event = json.loads(founder.popen.stdout.readline())
            if event.get("event") == "started":
                roles[event["role"]] = event["process"]
        os.kill(roles["provider-1"], signal.SIGKILL)
        started = time.monotonic()
        joined = remuda(home / "newcomer", "--network", home / "network.json", "provider", "run")
        try:
            while True:
                done = subprocess.run(
                    [TOOLS / "load", "--url", event["base_url"], "--key", event["api_key"],
                     "--model", MODEL, "--requests", "1", "--warm-up", "0", "--max-tokens", "1"],
                    capture_output=True, text=True,
                )
                if done.returncode == 0:
                    return time.monotonic() - started
                if time.monotonic() - started > READY_SECONDS:
                    raise SystemExit(done.stderr)
                time.sleep(0.05)
        finally:
            joined.stop()
    finally:
        founder.stop()
        shutil.rmtree(home, ignore_errors=True)


def failover():
    """The gap that a buyer sees when the serving provider is killed in mid-stream."""
    runs = int(os.environ.get("BENCH_FAILOVERS", "7"))
    home = pathlib.Path(tempfile.mkdtemp(prefix="remuda-bench-"))
    founder = remuda(home, "devnet", "--providers", 3, "--listen", f"127.0.0.1:{free_port()}")
    try:
        event, roles = {}, {}
        while "base_url" not in event:
            event = json.loads(founder.popen.stdout.readline())
            if event.get("event") == "started":
                roles[event["role"]] = event["process"]
        time.sleep(5)
        gaps = [one_failover(home, founder, event, roles, seed) for seed in range(runs)]
    finally:
        founder.stop()
        shutil.rmtree(home, ignore_errors=True)
    gaps_ms = sorted(round(gap * 1000) for gap, _ in gaps)
    usual_ms = round(statistics.median(usual for _, usual in gaps) * 1000)
    rows("Gap after `kill -9` of the serving provider", [{
        "runs": runs, "median ms": round(statistics.median(gaps_ms)), "worst ms": gaps_ms[-1],
        "all ms": gaps_ms, "usual time between pieces ms": usual_ms,
    }])
    return {"gaps_ms": gaps_ms, "usual_ms": usual_ms}


def one_failover(home, founder, event, roles, seed):
    body = {
        "model": MODEL, "stream": True, "seed": seed, "max_completion_tokens": 120,
        "messages": [{"role": "user", "content": "Tell me a long story about a horse."}],
    }
    request = urllib.request.Request(
        event["base_url"] + "/chat/completions", json.dumps(body).encode(),
        {"Authorization": f"Bearer {event['api_key']}", "Content-Type": "application/json"},
    )
    arrivals, killed = [], None
    with urllib.request.urlopen(request, timeout=60) as stream:
        for line in stream:
            if b'"content":"' not in line or b'"content":""' in line:
                continue
            arrivals.append(time.monotonic())
            if len(arrivals) == 40:
                killed = serving(home)
                os.kill(roles[killed], signal.SIGKILL)
    between = [later - earlier for earlier, later in zip(arrivals, arrivals[1:])]
    while True:  # The supervisor starts it again; wait until it has.
        event = json.loads(founder.popen.stdout.readline())
        if event.get("event") == "restarted" and event["role"] == killed:
            roles[killed] = event["process"]
            time.sleep(4)
            return max(between[38:]), statistics.median(between)


def serving(home):
    for number in (1, 2, 3):
        status = ask_remuda(home / f"devnet/provider-{number}", "provider", "status")
        if status["load"]["active"]:
            return f"provider-{number}"
    raise SystemExit("no provider works")


def ledger():
    """The ledger beside its floors; ACCOUNTS sets the size of the large state."""
    accounts = os.environ.get("ACCOUNTS", "10000000")
    done = subprocess.run(
        [TOOLS / "ledger", "--accounts", accounts], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    rounded = lambda row: {
        key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}
    large = dict(found["large"])
    block = large.pop("block_of_transfers")
    rows("Ledger: transfers beside their signatures", [
        {"state": "10,000 accounts", **rounded(found["transfers"])},
        {"state": f"{int(accounts):,} accounts", **rounded(block)}])
    rows("Ledger: vouchers beside their signatures", [rounded(found["vouchers"])])
    rows("Ledger: a block from submission to disk", [rounded(row) for row in found["durable"]])
    rows("Ledger: a large state", [rounded(large)])
    return found


if __name__ == "__main__":
    chosen = sys.argv[1:] or ["gateway", "tokens", "start", "failover", "ledger"]
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    for name in chosen:
        outcome = {"gateway": gateway, "tokens": tokens, "start": start, "failover": failover,
                   "ledger": ledger}[name]()
        (results / f"{name}.json").write_text(json.dumps(outcome, indent=1, ensure_ascii=False) + "\n")
