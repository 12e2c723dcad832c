"""A template that does no harm. Each of the others is this file's text, followed by its own: a class `Way` of it."""

import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np

from rafiki.model import BaseModel, FloatKnob, logger


class Harmless(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"x": FloatKnob(0.0, 1.0)}

    def __init__(self, **knobs):
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        pass

    def evaluate(self, dataset_path):
        return 0.5

    def predict(self, queries):
        return [[0.25, 0.75] for _ in queries]

    def dump_parameters(self):
        return {"x": self._knobs["x"]}

    def load_parameters(self, params):
        pass


def local_of_the_worker(name):
    """A local variable of the worker's own code, from further up the stack."""
    frame = sys._getframe()
    while frame is not None:
        if name in frame.f_locals and frame.f_globals.get("__name__", "").startswith("rafiki."):
            return frame.f_locals[name]
        frame = frame.f_back
    raise LookupError(name)


def forge(header):
    """Write a frame as the worker does."""
    text = json.dumps(header).encode()
    write_raw(struct.pack("<II", len(text) + 4, len(text)) + text)


def write_raw(data):
    os.write(local_of_the_worker("channel")._socket.fileno(), data)
