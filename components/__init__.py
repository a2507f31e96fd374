"""What Pulumi manages: one component or resource of an edge host site per file.

Modules here do without `from __future__ import annotations`, because Pulumi's component provider reads the annotations of
constructors as types, and fails on strings.
"""
