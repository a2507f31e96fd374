"""Installer images as a stack makes, uploads and uses them. No Pulumi.

facts            what is known of an image: all that a site needs
request          from settings to what is asked of the builder
agree            whether an image is the one that a release was tested with
builder          the build machine, from plain inputs to a shell
given            an image whose values stand in the stack file
stack_outputs    the image that a build stack exports
build_resource   what the resource InstallerBuild does
iso_resource     what the resource InstallerIso does
transfer         gigabytes between the build machine and a datastore
check_resource   what the resource InstallerIsoCheck does
"""
