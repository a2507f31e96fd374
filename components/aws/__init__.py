"""The AWS side as components: what is made in an account, one component per file."""
