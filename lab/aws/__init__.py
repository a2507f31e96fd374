"""The lab's AWS: an account with one cluster and its VPC, which real AWS clients ask over HTTP.

moto answers what it knows; what it lacks or gets wrong (access entries, the rules of EKS, SSM activations, VPN) is ours.
"""
