# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that modules turn into a failure."""

from __future__ import annotations


class LobsterpotError(Exception):
    """What is wrong and the way out, in words for the operator."""
