#!/usr/bin/env python3
"""Writes the facts of a server's schema document in plan's own layout: names, types, ranges, defaults, references.

    scripts/schema-facts.py DOCUMENT[.gz] VERSION > runtime/rehearsal/schema/stalwart-0.16.json

Nothing that is prose goes in: no label, no description, no form. One object, struct or enum is one line.
The reader is compiler/schema/load_facts.cpp, where the layout is described.
"""
import gzip
import json
import sys


def number(value):
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else repr(value)


def notation(shape):
    kind = shape["type"]
    if kind in ("string", "number"):
        text = f"{kind}:{shape['format']}"
    elif kind == "enum":
        text = f"enum:{shape['enumName']}"
    elif kind == "utcDateTime":
        text = "date"
    elif kind == "blobId":
        text = "blob"
    elif kind == "objectId":
        text = f"id:{shape['objectName']}"
    elif kind == "object":
        text = f"object:{shape['objectName']}"
    elif kind == "objectList":
        text = f"list:{shape['objectName']}"
    elif kind == "set":
        text = f"set({notation(shape['class'])})"
    elif kind == "map":
        text = f"map({notation(shape['keyClass'])},{notation(shape['valueClass'])})"
    elif kind == "boolean":
        text = kind
    else:
        sys.exit(f"unknown type {kind}: teach it to this program and to compiler/schema")
    if shape.get("nullable"):
        text += "?"
    if "min" in shape or "max" in shape:
        text += f"[{number(shape.get('min'))}..{number(shape.get('max'))}]"
    low = shape.get("minItems", shape.get("minLength"))
    high = shape.get("maxItems", shape.get("maxLength"))
    if low is not None or high is not None:
        text += f"{{{number(low)}..{number(high)}}}"
    return text


def flags(shape):
    words = {"mutable": "", "immutable": "immutable ", "serverSet": "server-set "}[shape["update"]]
    return words + ("enterprise " if shape.get("enterprise") else "")


def objects(document):
    for name in sorted(set(document["objects"]) | set(document["schemas"])):
        shape = document["objects"].get(name, {})
        body = document["schemas"].get(name)
        fact = {}
        screen = document["lists"].get(name, {})
        if shape.get("type") == "view":
            fact["kind"] = "view"
            fact["of"] = shape["objectName"]
            variant = screen.get("filtersStatic", {}).get("@type")
            if variant:
                fact["variant"] = variant
        elif shape:
            fact["kind"] = {"object": "collection", "singleton": "singleton"}[shape["type"]]
            fact["permission"] = shape["permissionPrefix"]
            if shape.get("enterprise"):
                fact["enterprise"] = True
        if screen.get("labelProperty"):
            fact["label"] = screen["labelProperty"]
        if body and body["type"] == "single":
            fact["struct"] = body["schemaName"]
        elif body:
            fact["variants"] = [[v["name"], v.get("schemaName")] for v in body["variants"]]
        yield name, fact


def structs(document):
    for name, body in sorted(document["fields"].items()):
        types = {p: flags(s) + notation(s["type"]) for p, s in sorted(body["properties"].items())}
        yield name, [types, body["defaults"]] if body.get("defaults") else [types]


def enums(document):
    for name, values in sorted(document["enums"].items()):
        yield name, [value["name"] for value in values]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    document = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    print(f'{{"planSchemaFacts":1,"version":{json.dumps(sys.argv[2])}', end="")
    for part, entries in (("objects", objects), ("structs", structs), ("enums", enums)):
        print(f',\n"{part}":{{', end="")
        separator = "\n"
        for name, fact in entries(document):
            print(f"{separator}{json.dumps(name)}:{json.dumps(fact, separators=(',', ':'))}", end="")
            separator = ",\n"
        print("\n}", end="")
    print("}")


main()
