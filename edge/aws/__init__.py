"""The AWS side: what is read from an account, what it means for a site, and what the program makes there. No Pulumi.

access    which account and how (the `aws:` keys of the stack), as data
view      everything that was read, as plain data; the rules judge it without a network
"""
