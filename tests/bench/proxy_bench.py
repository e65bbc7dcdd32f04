"""The migration proxy beside nginx's mail proxy: memory of an idle session, logins a second of CPU.

Both stand in front of the same scripted IMAP server, one after the other, with one worker. Logins are given per second of
the proxy's own CPU time: client and server are slower than either proxy, so the wall clock would measure them.
Prints one JSON object a line.
"""

import asyncio
import json
import multiprocessing
import os
import pathlib
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

PLAN = os.environ.get("PLAN", "")
SESSIONS = int(os.environ.get("PLAN_BENCH_SESSIONS", "1000"))
LOGINS = int(os.environ.get("PLAN_BENCH_LOGINS", "3000"))
AT_ONCE = 20
NGINX_MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_limits():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536) if most > 0 else 65536, most))


async def backend_session(reader, writer):
    writer.write(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n")
    try:
        while line := await reader.readline():
            tag, _, rest = line.partition(b" ")
            if rest.startswith(b"LOGOUT"):
                writer.write(b"* BYE\r\n" + tag + b" OK\r\n")
                break
            if rest.startswith(b"LOGIN") and rest.rstrip().endswith(b"}"):  # nginx sends the name as a literal
                writer.write(b"+ go\r\n")
                await reader.readline()
                writer.write(b"+ go\r\n")
                await reader.readline()
            writer.write(tag + b" OK [CAPABILITY IMAP4rev1 IDLE] done\r\n")
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    writer.close()


def backend(port):
    raise_limits()

    async def serve():
        server = await asyncio.start_server(backend_session, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    asyncio.run(serve())


async def log_in(port, context):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    await reader.readline()
    writer.write(b"a LOGIN alice@example.org secret\r\n")
    while not (line := await reader.readline()).startswith(b"a "):
        if not line:
            raise RuntimeError("the proxy closed at the login")
    if not line.startswith(b"a OK"):
        raise RuntimeError(line)
    return reader, writer


async def hold_sessions(port, context, count):
    gate = asyncio.Semaphore(AT_ONCE)

    async def one():
        async with gate:
            return await log_in(port, context)

    return await asyncio.gather(*(one() for _ in range(count)))


async def many_logins(port, context, count):
    async def worker(number):
        for _ in range(number):
            reader, writer = await log_in(port, context)
            writer.write(b"b LOGOUT\r\n")
            await reader.read()
            writer.close()

    await asyncio.gather(*(worker(count // AT_ONCE) for _ in range(AT_ONCE)))
    return count // AT_ONCE * AT_ONCE


def family(pid):
    found = [pid]
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[1]) == pid:
                found.append(int(entry))
    return found


def pss_bytes(pid):
    total = 0
    for member in family(pid):
        for line in pathlib.Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def cpu_seconds(pid):
    ticks = 0
    for member in family(pid):
        stat = pathlib.Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def wait_for_port(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mail.test",
                    "-out", folder / "c.pem", "-keyout", folder / "c.key"], check=True, stderr=subprocess.DEVNULL)


def start_plan(folder, backend_port, ports):
    (folder / "token").write_text("0123456789abcdef0123456789abcdef")
    (folder / "token").chmod(0o600)
    text = f"""
[server]
name = "mail.test"
certificate = "{folder}/c.pem"
key = "{folder}/c.key"
map = "{folder}/accounts.map"
[limits]
connections = 20000
connections_per_address = 20000
[control]
unix = "{folder}/control.sock"
token_file = "{folder}/token"
[listener.imap]
protocol = "imap"
address = "127.0.0.1"
port = {ports[0]}
plain_login = true
[listener.imaps]
protocol = "imap"
address = "127.0.0.1"
port = {ports[1]}
tls = "implicit"
[destination.source]
address = "127.0.0.1"
imap = {{port = {backend_port}}}
"""
    (folder / "proxy.toml").write_text(text)
    return subprocess.Popen([PLAN, "proxy", "run", "--config", folder / "proxy.toml"], stderr=subprocess.DEVNULL)


def start_nginx(folder, backend_port, ports):
    route = free_port()
    (folder / "nginx.conf").write_text(f"""
load_module {NGINX_MODULE};
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{route};
    location = /auth {{
      add_header Auth-Status OK;
      add_header Auth-Server 127.0.0.1;
      add_header Auth-Port {backend_port};
      return 200;
    }}
  }}
}}
mail {{
  server_name mail.test;
  auth_http 127.0.0.1:{route}/auth;
  imap_capabilities IMAP4rev1 SASL-IR LITERAL+ ID;
  ssl_certificate {folder}/c.pem;
  ssl_certificate_key {folder}/c.key;
  server {{ listen 127.0.0.1:{ports[0]}; protocol imap; imap_auth plain login; }}
  server {{ listen 127.0.0.1:{ports[1]} ssl; protocol imap; imap_auth plain login; }}
}}
""")
    return subprocess.Popen(["nginx", "-e", folder / "nginx.log", "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)


def measure(start, folder, backend_port):
    ports = (free_port(), free_port())
    process = start(folder, backend_port, ports)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    figures = {}
    try:
        for port in ports:
            wait_for_port(port)
        for name, port, tls in (("plain", ports[0], None), ("tls", ports[1], context)):

            async def idle(port=port, tls=tls):
                await many_logins(port, tls, 100)  # so that what is allocated once is not counted
                before = pss_bytes(process.pid)
                kept = await hold_sessions(port, tls, SESSIONS)
                await asyncio.sleep(1)
                after = pss_bytes(process.pid)
                for _, writer in kept:
                    writer.close()
                await asyncio.sleep(1)
                return (after - before) / SESSIONS

            async def busy(port=port, tls=tls):
                before = cpu_seconds(process.pid)
                began = time.monotonic()
                done = await many_logins(port, tls, LOGINS if tls is None else LOGINS // 3)
                wall = time.monotonic() - began
                return done / max(cpu_seconds(process.pid) - before, 0.01), done / wall

            figures[f"memory-{name}"] = asyncio.run(idle())
            figures[f"logins-{name}"], figures[f"wall-{name}"] = asyncio.run(busy())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    return figures


def main():
    missing = [name for name in ("nginx", "openssl") if not shutil.which(name)] + ([] if os.path.exists(NGINX_MODULE) else ["nginx's mail module"])
    if missing or not PLAN:
        sys.exit(f"proxy_bench.py needs {', '.join(missing) or 'PLAN'}")
    raise_limits()
    port = free_port()
    server = multiprocessing.Process(target=backend, args=(port,), daemon=True)
    server.start()
    wait_for_port(port)
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="pxb") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        certificate(folder)
        ours = measure(start_plan, folder, port)
        peer = measure(start_nginx, folder, port)
    server.terminate()
    for tls in ("plain", "tls"):
        for figure, unit, better in ((f"memory-{tls}", "bytes", "lower"), (f"logins-{tls}", "1/cpu-s", "higher")):
            value, peer_value = ours[figure], peer[figure]
            print(json.dumps({"figure": f"proxy-{'idle-session-' if unit == 'bytes' else ''}{figure}", "value": round(value), "unit": unit, "better": better,
                              "peer": "nginx 1.22 mail, 1 worker", "peer_value": round(peer_value), "ratio": round(value / max(peer_value, 1), 3), "goal": 1.0}))


if __name__ == "__main__":
    main()
