# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A NoCloud seed: an ISO 9660 image with the label `cidata`, which cloud-init looks for."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path


def write_seed(target: Path, documents: Mapping[str, bytes]) -> None:
    """Write the documents, by name, into an image at `target`, readable by its owner only: it holds the machine's host key.

    Source: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html
    """
    from pycdlib import PyCdlib  # noqa: PLC0415 - only the controller has it

    image = PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="cidata")
    for name, content in documents.items():
        iso_name = f"/{name.upper().replace('-', '_')}.;1"
        image.add_fp(io.BytesIO(content), len(content), iso_name, rr_name=name, joliet_path=f"/{name}")
    target.unlink(missing_ok=True)  # or it would keep the mode of what was there
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        image.write_fp(stream)
    image.close()
