"""Rafiki: machine learning as a service that anyone can run with one command."""

__version__ = "0.1.0"
