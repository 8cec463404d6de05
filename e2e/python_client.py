"""The official Python MCP client as an agent: reads a script from stdin, says what came back on stdout.

In: {"url", "key", "mode", "steps": [{"tools": true} | {"call": name, "arguments": {...}}]}.
Out: {"protocol", "steps": [{"tools": [...]} | {"result": {...}} | {"error": {"code", "message"}}]}.
"""

import asyncio
import json
import sys

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client


async def tools_of(client):
    found, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        found += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
        cursor = page.next_cursor
        if not cursor:
            return found


async def step(client, wanted):
    try:
        if wanted.get("tools"):
            return {"tools": await tools_of(client)}
        result = await client.call_tool(wanted["call"], wanted.get("arguments", {}))
        return {"result": result.model_dump(mode="json", by_alias=True, exclude_none=True)}
    except MCPError as error:
        return {"error": {"code": error.error.code, "message": error.error.message}}


async def main():
    script = json.load(sys.stdin)
    headers = {"Authorization": f"Bearer {script['key']}"} if script.get("key") else {}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30, read=300)) as http:
        transport = streamable_http_client(script["url"], http_client=http)
        async with Client(transport, mode=script.get("mode", "auto")) as client:
            steps = [await step(client, wanted) for wanted in script["steps"]]
            json.dump({"protocol": client.protocol_version, "steps": steps}, sys.stdout)


asyncio.run(main())
