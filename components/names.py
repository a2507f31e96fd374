"""The names that end up in a state: type tokens and the role words of children. Changing one is a migration."""

PACKAGE = "edge-hosts"


def token(class_name: str) -> str:
    """Return the type token of a component, as a component provider of this package would spell it."""
    return f"{PACKAGE}:index:{class_name}"


def child(host: str, role: str) -> str:
    """Return the logical name of a host's child: the host's name and a fixed word, never an index."""
    return f"{host}-{role}"
