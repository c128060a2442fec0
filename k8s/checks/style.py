"""Lints shell scripts and YAML files."""

import subprocess

from .deployment import HERE


def check():
    return shell(HERE) + yaml_files(HERE)


def shell(folder):
    scripts = [
        path for path in sorted(folder.rglob("*"))
        if path.is_file() and ".venv" not in path.parts and "files" not in path.parts
        and path.read_bytes().startswith((b"#!/bin/sh", b"#!/usr/bin/env bash"))
    ]
    command = ["shellcheck", "--external-sources", "--format=gcc", *map(str, scripts)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    return (done.stdout + done.stderr).splitlines()


def yaml_files(folder):
    command = ["yamllint", "--strict", "--format=parsable", "."]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    return (done.stdout + done.stderr).splitlines()
