"""The edge: settings, commands, HTTP. The only place that knows everything."""

__version__ = "0.1.0"
