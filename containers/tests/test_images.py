#!/usr/bin/env python3
"""Tests the five images: their contents, that they contain nothing else, and that builds are reproducible.

    containers/tests/test_images.py FOLDER [--released]

FOLDER contains the programs. Only the images of released programs must be small.
"""

import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import unittest

from engine import inspect, podman, run

PROGRAMS = ("producer", "consumer", "dashboard", "host", "votectl", "loadtest", "canary")
BYTES_MAX = 15_000_000
FOLDER = pathlib.Path(sys.argv[1])
RELEASED = "--released" in sys.argv


def image(program):
    return f"localhost/votestream/{program}:dev"


def files(program):
    """Returns path and content of every file in an image, with its tar entry."""
    container = podman("create", image(program))
    try:
        exported = subprocess.run(
            ["podman", "export", container], capture_output=True, check=True
        ).stdout
    finally:
        podman("rm", container)
    with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
        return {
            entry.name: (entry, archive.extractfile(entry).read())
            for entry in archive
            if entry.isfile()
        }


class Images(unittest.TestCase):
    def test_each_holds_its_program_and_its_bill_of_materials_alone(self):
        for program in PROGRAMS:
            with self.subTest(image=program):
                held = files(program)
                self.assertEqual(set(held), {program, "sbom.cdx.json"})
                entry, content = held[program]
                self.assertEqual(content, (FOLDER / program).read_bytes())
                self.assertEqual((entry.uid, entry.gid, entry.mode & 0o777), (0, 0, 0o755))
                linked = run("ldd", str(FOLDER / program), check=False)
                self.assertIn("statically linked", linked.stdout)

    def test_the_bill_names_what_the_program_is_built_of(self):
        for program in PROGRAMS:
            with self.subTest(image=program):
                bill = json.loads(files(program)["sbom.cdx.json"][1])
                self.assertEqual(bill["bomFormat"], "CycloneDX")
                self.assertEqual(bill["metadata"]["component"]["name"], program)
                names = {part["name"] for part in bill["components"]}
                self.assertLessEqual({"tokio", "serde_json", "rustls"}, names)
                # Crates that only tests use are not in it.
                self.assertFalse({"votestream-testkit", "proptest", "fantoccini"} & names)
                self.assertNotIn(os.getcwd(), json.dumps(bill))
                self.assertTrue(all(p.get("purl") and p.get("version") for p in bill["components"]))

    def test_labels_and_user(self):
        for program in PROGRAMS:
            with self.subTest(image=program):
                config = inspect(image(program))["Config"]
                self.assertGreater(int(config["User"].split(":")[0]), 10_000)
                self.assertGreater(int(config["User"].split(":")[1]), 10_000)
                self.assertEqual(config["Entrypoint"], [f"/{program}"])
                labels = {k.removeprefix("org.opencontainers.image."): v
                          for k, v in config["Labels"].items()}
                # The project owns no domain, so labels must not contain one.
                self.assertNotIn("votestream.dev", str(config["Labels"]))
                for name in ("title", "description", "version", "revision", "licenses"):
                    self.assertTrue(labels.get(name), name)

    def test_the_same_programs_make_the_same_images(self):
        before = {program: inspect(image(program))["Id"] for program in PROGRAMS}
        run("containers/build", str(FOLDER))
        after = {program: inspect(image(program))["Id"] for program in PROGRAMS}
        self.assertEqual(before, after)

    @unittest.skipUnless(RELEASED, "of released programs only: make images")
    def test_each_is_small(self):
        for program in PROGRAMS:
            size = inspect(image(program))["Size"]
            print(f"{image(program)}: {size / 1e6:.1f} MB")
            self.assertLess(size, BYTES_MAX, program)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
