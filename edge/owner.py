"""The tag that says whose an object is, the same in Palette and in AWS: project and stack, as `edge-hosts.plant-12-prod`.

A module of its own, without imports: settings and plans need the name, and not the clients of Palette.
"""

OWNER_TAG = "edge-hosts-owner"
