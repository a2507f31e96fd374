"""What decides: settings, endpoint tables, checks, user-data and the Palette client. Nothing here imports Pulumi."""
