"""The bus beside its machine's limit and its peers: see README.md in the folder above."""
