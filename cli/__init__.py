"""The command line. It knows the core and the demo models; nothing imports it but `__main__.py` and the demo."""
