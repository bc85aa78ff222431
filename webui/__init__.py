"""The layer for A1111 and its descendants (Forge, reForge); only `host/` imports the host's modules.

scripts/sigmasmith_webui.py mounts the tree under its package name and registers what is here. The way of a generation:
script.py leaves the panel's choice in state.py, the host calls the functions of schedulers.py and extension.py, these
answer from it, and script.py looks back.
"""
