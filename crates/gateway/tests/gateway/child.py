# A server that is a program, for tests. Which of its ways it shows, a call's argument `do` says.
import json
import os
import resource
import subprocess
import sys
import time


def say(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


told = []


def hear():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    message = json.loads(line)
    if "id" not in message:
        told.append(message)
        return hear()
    return message


def about():
    limits = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in
              ("CORE", "CPU", "DATA", "AS", "FSIZE", "NOFILE", "NPROC")}
    status = open("/proc/self/status").read()
    return {
        "environment": dict(os.environ), "folder": os.getcwd(), "files": os.listdir("."),
        "mode": oct(os.stat(".").st_mode & 0o777), "user": os.getuid(), "groups": os.getgroups(), "limits": limits,
        "gains_nothing": "NoNewPrivs:\t1" in status, "group": os.getpgid(0) == os.getpid(),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
    }


def call(id, params):
    arguments = params.get("arguments", {})
    said = {"pid": os.getpid(), "arguments": arguments}
    match arguments.get("do"):
        case "progress":
            token = params["_meta"]["progressToken"]
            for step in (1, 2):
                say(method="notifications/progress", params={"progressToken": token, "progress": step})
        case "ask":
            form = {"type": "object", "properties": {}}
            say(id="q", method="elicitation/create", params={"message": "Who?", "requestedSchema": form})
            said = hear()["result"]
        case "ping":
            say(id="p", method="ping")
            said = hear()
        case "hang":
            return
        case "told":
            said = {"told": told}
        case "garbage":
            print("Listening on standard input.", flush=True)
            return
        case "die":
            os._exit(3)
        case "long":
            sys.stdout.write(" " * (3 << 20))
            sys.stdout.flush()
            time.sleep(30)
        case "deaf":
            os.close(0)
            time.sleep(30)
        case "about":
            said = about()
        case "child":
            said = {"pid": subprocess.Popen(["/bin/sleep", "300"]).pid}
        case "memory":
            try:
                said = {"bytes": len(bytearray(1 << 30))}
            except MemoryError:
                said = {"bytes": 0}
        case "change":
            say(method="notifications/tools/list_changed")
    say(id=id, result={"content": [], "structuredContent": said})


print("started", file=sys.stderr, flush=True)
while True:
    asked = hear()
    id, method = asked["id"], asked.get("method")
    if method == "initialize":
        info = {"name": "child", "version": str(os.getpid())}
        capabilities = {"tools": {"listChanged": True}}
        say(id=id, result={"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info})
    elif method == "tools/list":
        say(id=id, result={"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]})
    elif method == "tools/call":
        call(id, asked["params"])
    elif method:
        say(id=id, error={"code": -32601, "message": "no such method"})
