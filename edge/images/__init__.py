"""Installer images as a stack makes, uploads and uses them. No Pulumi.

facts            what is known of an image: all that a site needs
request          from settings to what is asked of the builder
agree            whether an image is the one that a release was tested with
build_resource   what the resource InstallerBuild does
iso_resource     what the resource InstallerIso does
check_resource   what the resource InstallerIsoCheck does
"""
