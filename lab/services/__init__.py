"""The stand-ins of the lab for everything outside it: DNS, endpoints, proxy, packages, downloads, Palette."""

from lab.services.config import Ports, ServicesConfig
from lab.services.core import Services

__all__ = ["Ports", "Services", "ServicesConfig"]
