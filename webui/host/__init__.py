"""A1111 and its descendants as plain values. Only files of this folder import the host's modules."""
