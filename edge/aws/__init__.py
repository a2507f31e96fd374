"""The AWS side: what is read from an account, what it means for a site, and what the program makes there. No Pulumi.

access              which account and how (the `aws:` keys of the stack), as data
session, errors     how AWS is asked; its errors as sentences
permissions         what is read, and why: IAM actions as data
read*, lookup       the reads, and the facts of `source: lookup`
view                everything that was read, as plain data
policy, routing     what a policy document allows, where a route leads
rules*              what is judged, a function per `aws.*` check
plan*, security     what `source: managed` makes, as plain data; security-group rules out of the firewall request
iam, activation     policies of the hosts' role; limit and life of a site's activation
"""
