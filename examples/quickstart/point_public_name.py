"""Moves the public name to an address, as an operator would in DNS: `point_public_name.py ADDRESS`."""

import sys

NAME = "mail.legacy.test"
with open("/etc/hosts", encoding="ascii") as file:
    kept = [line for line in file if line.split()[1:] != [NAME]]
with open("/etc/hosts", "w", encoding="ascii") as file:
    file.writelines([*kept, f"{sys.argv[1]} {NAME}\n"])
