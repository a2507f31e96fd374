"""The installer image of a site's appliances, whichever source it has, compared with what its release was tested with."""

from typing import Any, Optional

import pulumi
from pulumi import Output, ResourceOptions

from components import names
from components.errors import said_plainly
from components.hooks import Hooks
from components.installer_image import InstallerImage, InstallerImageArgs
from components.installer_iso import upload
from edge.errors import SettingsError
from edge.images.agree import disagreements
from edge.images.facts import ImageFacts
from edge.images.given import given_facts
from edge.images.stack_outputs import KEYS, stack_facts
from edge.network_source import full_name
from edge.settings import StackSettings
from edge.settings.image import BuiltImage, GivenImage, StackImage


class SiteImage(pulumi.ComponentResource):
    """The image of a site behind one interface.

    `given`: its values stand in the stack file. `stack`: the exports of a build stack, by a StackReference. `build`: made
    here, with its ISOs on the site's own datastores. `facts` are the `ImageFacts` as plain data, with files; they fail
    with one error when they are not what the release pins.
    """

    facts: Output[dict[str, Any]]

    def __init__(
        self, name: str, settings: StackSettings, hooks: Hooks, opts: Optional[ResourceOptions] = None
    ) -> None:
        image = settings.site.image
        assert image is not None  # the settings refuse appliances without one
        super().__init__(names.token("SiteImage"), name, {"source": image.source}, opts)
        self._settings = settings
        if isinstance(image, GivenImage):
            with said_plainly():
                self.facts = Output.from_input(self._judged(given_facts(image, settings)))
        elif isinstance(image, StackImage):
            self.facts = self._of_a_stack(image)
        else:
            self.facts = self._made_here(image, hooks).apply(self._checked)
        self.register_outputs({"facts": self.facts})

    def _of_a_stack(self, image: StackImage) -> Output[dict[str, Any]]:
        organization = pulumi.get_organization() or "organization"  # without an engine there is none
        target = full_name(image.stack, organization, pulumi.get_project())
        reference = pulumi.StackReference(names.child(self._name, "stack"), target, ResourceOptions(parent=self))
        # As for a network: one secret export makes all of them secrets, and a stack that is not there gives nothing.
        outputs = Output.unsecret(reference.outputs).apply(lambda found: {key: (found or {}).get(key) for key in KEYS})

        def facts(given: dict[str, Any]) -> dict[str, Any]:
            with said_plainly():
                return self._judged(stack_facts(given, stack=image.stack))

        return outputs.apply(facts)

    def _made_here(self, image: BuiltImage, hooks: Hooks) -> Output[dict[str, Any]]:
        settings = self._settings
        made = InstallerImage(
            names.child(self._name, "installer"),
            InstallerImageArgs(
                image.build, image.builder, settings.builder_ssh, settings.release, settings.owner, settings.root
            ),
            hooks,
            ResourceOptions(parent=self),
        )
        return upload(made, image.datastores, settings.site.vcenters, hooks, ResourceOptions(parent=made))

    def _checked(self, facts: dict[str, Any]) -> dict[str, Any]:
        with said_plainly():
            return self._judged(ImageFacts.from_dict(facts))

    def _judged(self, facts: ImageFacts) -> dict[str, Any]:
        """Return the facts as plain data. Raises SettingsError when the image is not that of the release."""
        settings = self._settings
        found = disagreements(settings.release, facts, "site.image", complete=settings.stage == "prod")
        if found:
            raise SettingsError(found, where=f"stack {settings.stack}")
        return facts.to_dict()
