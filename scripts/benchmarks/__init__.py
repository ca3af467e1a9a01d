# SPDX-License-Identifier: GPL-2.0-only
"""The parts of scripts/bench, one in a file, and what they share."""
