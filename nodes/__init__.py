"""The ComfyUI layer: a folder for each kind of node, all listed in extension.py; only `host/` imports the host.

In a folder, node.py is the schema and loads with the host; work.py is what the node does and loads when it first runs.
"""
